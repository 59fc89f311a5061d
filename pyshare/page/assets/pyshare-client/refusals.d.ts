/** Refused edits, in words for the person who made them. */
import type { Transaction } from "@codemirror/state";
import type { Limits, RefusedFrame } from "./protocol.js";
/** Refusals that say nothing of the edits: with the newest text under them they may be pushed again. */
export declare const STALE: ReadonlySet<string>;
/** Edits that were refused, and that are taken back. */
export interface Refusal {
    /**
     * As the protocol has it; `too_large`, `invalid` and `stray` if the server was not asked; `set_aside` for a text that an
     * earlier page kept.
     */
    readonly code: string;
    /** Reason and advice, to stand after a colon. */
    readonly reason: string;
    /** Text that the edits had inserted. */
    readonly inserted: string;
    /** Let a text that an earlier page kept be offered no more. */
    readonly forget?: () => void;
}
/** Reason for an end, where the server does not know that there was another codespace before. */
export declare const ANOTHER_LIFE = "this codespace has expired, and another one has begun at its address; its text is still on this screen";
/** Reasons that need no figures. */
export declare const VIEW_ONLY = "this link is for viewing only";
/** Return the reason for a text that was found in edits of an earlier page, which cannot be read. */
export declare function unreadable(text: string): string;
/** Return the refusal of an edit that no server takes; null for any other. `isStray`: it is made upon such an edit. */
export declare function refusalOf(edit: Transaction, isStray: boolean, limits: Limits | null): Refusal | null;
/** Return the reason of a server for the person who made the edit. */
export declare function reasonOf(frame: RefusedFrame, limits: Limits | null): string;
