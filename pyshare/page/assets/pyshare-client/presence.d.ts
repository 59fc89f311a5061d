/** The others in a codespace, each with a colour; comings and goings of one moment are told together. */
import { type PresentPeer } from "./colors.js";
import type { Peer } from "./protocol.js";
export declare class Presence {
    #private;
    constructor(onPeers: (peers: readonly PresentPeer[]) => void);
    get all(): readonly PresentPeer[];
    /** The number of this client's own colour. */
    get ownColor(): number;
    has(id: string): boolean;
    /** Take the list of a welcome to the client `id`, and tell at once; an empty list: the connection is gone. */
    set(id: string, peers: readonly Peer[]): void;
    add(peer: Peer): void;
    remove(id: string): void;
}
