/**
 * What keeps an editor connected to a codespace: one WebSocket after the other, with pauses between, until that is of
 * no use.
 */
import type { PresentPeer } from "./colors.js";
import { type DraftStore } from "./drafts.js";
import { type SelectedRange } from "./protocol.js";
import { type Editor, type Refusal } from "./replica.js";
import type { Status } from "./status.js";
/** What a connection tells; each is called after what it tells of has been done. */
export interface ConnectionHooks {
    onStatus?(status: Status): void;
    /** The others who are here. */
    onPeers?(peers: readonly PresentPeer[]): void;
    /** Edits were refused and taken back; `refusal.inserted` has their text, so that it can be offered again. */
    onRefused?(refusal: Refusal): void;
    /** Somebody has selected something else, in the text on the screen. */
    onSelection?(id: string, ranges: readonly SelectedRange[]): void;
}
export interface ConnectionOptions extends ConnectionHooks {
    /** What the others are told of who this is. */
    readonly name?: string;
    /** Where unsaved edits are kept; if not given, nowhere. */
    readonly drafts?: DraftStore;
    /** For where there is no `WebSocket`, as in older versions of Node. */
    readonly WebSocket?: typeof WebSocket;
}
/** Keeps one editor connected to one codespace. It begins at once and ends with `close`. */
export declare class Connection {
    #private;
    constructor(editor: Editor, url: string | URL, options?: ConnectionOptions);
    get status(): Status;
    /** The others who are here. */
    get peers(): readonly PresentPeer[];
    /** One's own colour, as the number of one of `COLORS`. */
    get color(): number;
    /** This client's public id; empty before it was connected. */
    get id(): string;
    /** What the others are told of who this is; they are told at once, by connecting anew. */
    get name(): string;
    set name(name: string);
    /** Let a pause end now. */
    retry(): void;
    /** Tell that the editor's text or selection has changed by its user. */
    changed(): void;
    /** Leave the codespace. What is unsaved stays kept; the editor cannot be typed into any more. */
    close(): void;
}
