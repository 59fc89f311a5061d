/** Pauses between one connection and the next: each twice as long as the last, until a connection has lasted. */
export declare class Pauses {
    #private;
    /** Return the milliseconds of the next pause; `hasLasted`: the connection before it was a good one. */
    next(hasLasted: boolean): number;
}
