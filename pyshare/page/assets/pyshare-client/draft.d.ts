/** Unsaved edits in a form that can be stored. */
import type { ChangeSet } from "@codemirror/state";
export interface Draft {
    readonly epoch: string;
    readonly version: number;
    /** A committed text; the same string as in the draft before, as long as it can be. */
    readonly base: string;
    /** Changes from `base` to the committed text as of `version`, as `ChangeSet.toJSON()`; null or absent: none. */
    readonly since?: unknown;
    /**
     * Edits on top of the committed text, as `ChangeSet.toJSON()`; the first `inFlight.count` of them are that push. A long
     * one is the same object as in the draft before, as long as it can be.
     */
    readonly changes: readonly unknown[];
    /** `isPart`: the push is the beginning of an edit that goes on in the next one of `changes`. */
    readonly inFlight: {
        readonly seq: number;
        readonly count: number;
        readonly isPart?: boolean;
    } | null;
    /** Number of the last push. */
    readonly seq: number;
}
/** Edits on their way into drafts. */
export declare class Drafted {
    #private;
    /** Return a chain as it stands in a draft, short edits together; the first one stays apart if `isFlying`. */
    of(chain: readonly ChangeSet[], isFlying: boolean): readonly unknown[];
}
/**
 * Return the text that can be found in a draft as JSON, or in what is left of one: the strings among its changes.
 */
export declare function textIn(json: string): string;
