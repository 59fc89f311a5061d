/** Pauses between one connection and the next: each twice as long as the last, until a connection was of use. */
export declare class Pauses {
    #private;
    /** Take note of a welcome. */
    welcomed(now: number): void;
    /** Have the next pause be a first one. */
    restart(): void;
    /** Return the milliseconds of the pause after a connection that has ended. */
    next(now: number): number;
}
