/**
 * Deadlines of one connection: each moves while anything moves, in either direction.
 *
 * Times are milliseconds since 1970 and come from the caller, so that a scene can have a clock of its own. A clock that
 * stands still while the machine sleeps would hide the sleep.
 */
/** Result of a look at a connection: it is lost, or the next look is due then; `ask`: send a question first. */
export type Verdict = "lost" | {
    readonly ask: boolean;
    readonly lookAt: number;
};
export declare class Liveness {
    #private;
    constructor(now: number);
    /** When the server was asked for a word, while it owes one. */
    get askedAt(): number | null;
    /** Return the time at which a server that was heard then should have said something again; null: it need not. */
    silentAt(heardAt: number): number | null;
    /** Take note of a message, a piece of one, or the opening of the socket. */
    heard(now: number): void;
    /** Take the welcome's word of the signs of life; 0: there are none. */
    welcomed(aliveMs: number | undefined): void;
    /** Take note of a push of so many bytes that was sent. */
    pushed(now: number, bytes: number): void;
    /** Take note of whether the server owes the answer to a push. */
    waits(now: number, isWaiting: boolean): void;
    /** Want a word soon: the machine slept, or the network has changed. Return whether to send a question. */
    wonder(now: number): boolean;
    /** Look whether the connection lives; `leaving`: bytes that have not left this machine. */
    look(now: number, leaving: number): Verdict;
}
