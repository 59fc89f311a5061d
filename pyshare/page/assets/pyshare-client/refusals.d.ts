/** Refused edits, in words for the person who made them. */
import type { Limits, RefusedFrame } from "./protocol.js";
/** Edits that were refused, and that are taken back. */
export interface Refusal {
    /** As the protocol has it; `too_large` if the server was not asked; `set_aside` for a text that an earlier page kept. */
    readonly code: string;
    /** Reason and advice, to stand after a colon. */
    readonly reason: string;
    /** Text that the edits had inserted. */
    readonly inserted: string;
    /** Let a text that an earlier page kept be offered no more. */
    readonly forget?: () => void;
}
/** Reasons that need no figures. */
export declare const VIEW_ONLY = "this link is for viewing only";
export declare const HALVES = "it has half of a character that must stay whole, such as an emoji; insert or select all of it";
export declare const STRAY = "it was made upon one that cannot be saved; make it again";
/** Return the reason for a text that was found in edits of an earlier page, which cannot be read. */
export declare function unreadable(text: string): string;
/** Return the reason for an edit that makes a text too long. */
export declare function tooLong(limits: Limits | null): string;
/** Return the reason of a server for the person who made the edit. */
export declare function reasonOf(frame: RefusedFrame, limits: Limits | null): string;
