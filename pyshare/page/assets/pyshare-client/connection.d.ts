/** The connection of an editor to a codespace: one WebSocket after the other, as long as another one is of use. */
import type { PresentPeer } from "./colors.js";
import type { ConnectionOptions } from "./options.js";
import type { Editor } from "./screen.js";
import { type Status } from "./status.js";
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
    /** The language for all, as a name of `a-z`, `0-9`, `+`, `#` and `-`; setting it tells all. Empty: none was chosen. */
    get language(): string;
    set language(name: string);
    /** Let a pause end now. */
    retry(): void;
    /** Tell that the editor's text or selection has changed by its user. */
    changed(): void;
    /** Show the others where one's cursor is, from now on. */
    appear(): void;
    /** Leave the codespace. What is unsaved stays kept; the editor cannot be typed into any more. */
    close(): void;
}
