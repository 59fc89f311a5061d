/** Addresses of a codespace for WebSockets. */
/** Return the WebSocket address of a codespace, from that or the http one. */
export declare function socketAddress(url: string | URL): URL;
/** The point of a log from which a client goes on when it comes back. */
export interface ResumePoint {
    readonly epoch: string;
    readonly version: number;
    /** The mark of the update that made the version, its sender and number; null: it is not known. */
    readonly tip: string | null;
}
/** Return the address for one connection: who joins, and with what it comes. */
export declare function joiningAddress(address: URL, session: string, name: string, known: ResumePoint | null): URL;
