/**
 * One editor's text, and what is known of the codespace: what is committed, and what was typed since.
 *
 * A push in flight is sent again after a lost connection. No socket, no clock. Whatever the server does, no edit is lost
 * in silence: it is unconfirmed, or committed, or handed to `onRefused`.
 */
import type { ResumePoint } from "./address.js";
import { type Draft } from "./draft.js";
import { type Limits, type Mode, type PushFrame, type RefusedFrame, type SelectedRange, type SelectFrame, type UpdatesFrame, type Welcome } from "./protocol.js";
import { type Refusal } from "./refusals.js";
import { type Editor, type Unit } from "./screen.js";
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
/** The codespace has had another life: the text of the earlier one is on this screen, and perhaps nowhere else. */
export declare class AnotherLife extends Error {
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
    /** Whether something of the server's is being taken, so that there is no draft that fits. */
    get isTaking(): boolean;
    /** What was typed and has not gone into a push: another object after each edit. */
    get typed(): readonly Unit[];
    /** The text on the screen, and what of it the unconfirmed edits have inserted. */
    get text(): string;
    get inserted(): string;
    /** From where the server is to go on; null: it has to send the text. */
    get resumePoint(): ResumePoint | null;
    /** Whether to connect again, since nothing helps but a welcome with a text. */
    get mustFetch(): boolean;
    /** Take note that the user has changed the text or the selection. */
    changed(): void;
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
     * @throws AnotherLife if it is not the codespace that the replica knows; nothing is changed.
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
