/**
 * One editor's text, and what is known of the codespace: what is committed, and what was typed since.
 *
 * Unconfirmed edits are a chain of change sets, from the committed text to the one on the screen: the push in flight,
 * what did not fit it, and what was typed since. They are rebased push by push, as @codemirror/collab does, and kept
 * short by composing. A push in flight is sent again after a lost connection. No socket, no clock. Whatever the server
 * does, no edit is lost in silence: it is unconfirmed, or committed, or handed to `onRefused`.
 */
import { EditorState, Transaction } from "@codemirror/state";
import { type Limits, type Mode, type PushFrame, type RefusedFrame, type SelectedRange, type SelectFrame, type UpdatesFrame, type Welcome } from "./protocol.js";
/** What a replica needs of an editor; an `EditorView` is one. */
export interface Editor {
    readonly state: EditorState;
    dispatch(transactions: readonly Transaction[]): void;
}
/** Unsaved edits in a form that can be stored; `Replica.restore` takes them up again. */
export interface Draft {
    readonly epoch: string;
    readonly version: number;
    /** The committed text as of `version`. */
    readonly base: string;
    /** Edits on top of it, as `ChangeSet.toJSON()`; the first `inFlight.count` of them are that push. */
    readonly changes: readonly unknown[];
    readonly inFlight: {
        readonly seq: number;
        readonly count: number;
    } | null;
    /** Number of the last push. */
    readonly seq: number;
}
/** Edits that a server has refused, and that are taken back. */
export interface Refusal {
    /** As the protocol has it; `too_large` if the server was not asked. */
    readonly code: string;
    readonly reason: string;
    /** What the edits had inserted. */
    readonly inserted: string;
}
/** What a replica tells of itself, in the middle of what it does: do not change the editor from there. */
export interface ReplicaHooks {
    /** Edits are taken back. */
    onRefused(refusal: Refusal): void;
    /** Peers' selections in the text on the screen. */
    onSelection(id: string, ranges: readonly SelectedRange[]): void;
}
/** What the server sent does not follow what the replica has: connect again, from its `resumePoint`. */
export declare class OutOfStep extends Error {
}
/** The codespace is another one, and empty: the text that was in it is on this screen, and perhaps nowhere else. */
export declare class MadeAnew extends Error {
}
export declare class Replica {
    #private;
    /** The editor cannot be typed into until there is a text to type into. */
    constructor(editor: Editor, hooks: ReplicaHooks);
    /** This client's public id; empty before the first welcome. */
    get id(): string;
    get mode(): Mode;
    get limits(): Limits | null;
    /** The version up to which the log is known. */
    get version(): number;
    /** Whether there is a text, so that the editor may be typed into. */
    get begun(): boolean;
    /** Edits that are not known to be committed. */
    get unconfirmed(): number;
    /** Whether a push was sent and its fate is not known. */
    get awaits(): boolean;
    /** From where the server is to go on; null: it has to send the text. */
    get resumePoint(): {
        epoch: string;
        version: number;
    } | null;
    /** Whether to connect again, since nothing helps but a welcome with a text. */
    get mustFetch(): boolean;
    /** Let the selection be sent again. */
    selected(): void;
    /**
     * Return the push to be sent now, if any; it counts as sent.
     *
     * One is in flight at a time: a push that the last connection took with it is sent again, under its number, before
     * any other.
     */
    nextPush(): PushFrame | null;
    /** Return the selection to be sent now, if any, in the text that is committed; it counts as sent. */
    nextSelect(): SelectFrame | null;
    /** Return what is unsaved, in a form that can be stored; null if nothing is. */
    draft(): Draft | null;
    /**
     * Take up unsaved edits where an earlier page has left them, before the first welcome; the editor can be typed into.
     *
     * @throws RangeError if they do not fit one another; nothing is changed then.
     */
    restore(draft: Draft): void;
    /**
     * Take the first frame of a connection: go on from the log, or merge the text.
     *
     * @throws OutOfStep if it does not follow what the replica has.
     * @throws MadeAnew if the codespace is gone, and another one has begun under its name; nothing is changed.
     */
    resume(welcome: Welcome): void;
    /**
     * Take committed updates.
     *
     * @throws OutOfStep if they do not follow what the replica has.
     */
    receive(frame: UpdatesFrame): void;
    /** Take the news that a push did not happen. Its edits are taken back, unless they may be pushed again. */
    refuse(frame: RefusedFrame): void;
    /** Take a peer's selection; one of another version than the log is known to cannot be placed. */
    select(id: string, version: number, ranges: readonly SelectedRange[]): void;
    /** Leave the text on the screen as it is, for good: it cannot be typed into any more. */
    close(): void;
}
