/** Edits that closed windows have left unsaved: each is sent by a connection of its own, one after the other. */
import type { DraftStore } from "./drafts.js";
import type { Editor } from "./screen.js";
import type { Status } from "./status.js";
/** Connects an editor that nobody sees, and returns the way to end that. */
export type Open = (editor: Editor, drafts: DraftStore, onStatus: (status: Status) => void) => {
    close(): void;
};
export declare class Leftovers {
    #private;
    constructor(open: Open);
    /** Send all that is left; `drafts` knows where. What cannot be sent stays where it is. */
    send(drafts: DraftStore): Promise<void>;
    close(): void;
}
