/** Addresses of a codespace for WebSockets. */
/** Return the WebSocket address of a codespace, from that or the http one. */
export declare function socketAddress(url: string | URL): URL;
/** Return the address for one connection: who joins, and with what it comes. */
export declare function joiningAddress(address: URL, session: string, name: string, known: {
    readonly epoch: string;
    readonly version: number;
} | null): URL;
