/** A change set cut in two, so that the first part fits a message and the limits of a push. No state. */
import { ChangeSet } from "@codemirror/state";
import type { Limits } from "./protocol.js";
/** Bytes that a change set may take as JSON, and sections that it may have. */
export interface PartLimits {
    readonly bytes: number;
    readonly sections: number;
}
/** Return the limits of a push when it is made: half of the server's, and no more than others rebase over easily. */
export declare function partLimits({ message_bytes, push_sections }: Limits): PartLimits;
/** Return the limits of a push that was made before, and was rebased since: all that the server takes. */
export declare function pushLimits({ message_bytes, push_sections }: Limits): PartLimits;
/**
 * Return a change set as a part that surely fits the limits, and the part that follows it; null if the first is all.
 *
 * The second is for the text after the first, and both together do what the whole does. A change too long for any
 * part is cut within, never inside a surrogate pair. The first part is never empty.
 */
export declare function cut(changes: ChangeSet, limits: PartLimits): readonly [ChangeSet, ChangeSet | null];
/**
 * Return the part of a change set that has all that it inserts, and the deletions left to the part that follows it;
 * null if there is nothing to leave.
 *
 * The first part fits the limits, unless what is inserted alone does not. A push that was sent may be committed whole
 * all the same: the first part is then confirmed by what it inserts, and nothing is left of the second one, since nobody
 * can delete a text twice.
 */
export declare function shed(changes: ChangeSet, limits: PartLimits): readonly [ChangeSet, ChangeSet | null];
/** Return what a change set deletes, without what it inserts. */
export declare function deletions(changes: ChangeSet): ChangeSet;
/** Return how many sections a change set has, and how many bytes it takes as JSON at most, by a rough measure. */
export declare function measure(changes: ChangeSet): PartLimits;
/** Return whether a change set surely fits the limits. */
export declare function fits(changes: ChangeSet, { bytes, sections }: PartLimits): boolean;
