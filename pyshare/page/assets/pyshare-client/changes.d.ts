/** What is done with change sets that @codemirror/state leaves open. No state. */
import { ChangeSet, type Text } from "@codemirror/state";
import type { CommittedUpdate } from "./protocol.js";
/** Return what leads from one text to another. */
export declare function difference(from: Text, to: Text): ChangeSet;
/** Return several change sets, each after the one before, as one of a text of that length. */
export declare function composed(sets: readonly ChangeSet[], length: number): ChangeSet;
/** Return the updates of each push: those that stand together and have sender and number in common. */
export declare function byPush(updates: readonly CommittedUpdate[]): CommittedUpdate[][];
/** What one part of a push may take: bytes as JSON, and sections. */
export interface PartLimits {
    readonly bytes: number;
    readonly sections: number;
}
/**
 * Return a change set as a part that surely fits the limits, and the part that follows it; null if the first is all.
 *
 * The second is for the text after the first, and both together do what the whole does. A change too long for any
 * part is cut within, never inside a surrogate pair. The first part is never empty.
 */
export declare function cut(changes: ChangeSet, limits: PartLimits): readonly [ChangeSet, ChangeSet | null];
/**
 * Return the part of `own` that `done` does as well, and the part that follows it; null if the first is all.
 *
 * Both sets are for one text. A change of `own` is done if `done` changes that place too and inserts the same text, or
 * more: then both come from one hand, which has gone on typing. Where `done` inserts the beginning only, the end is left.
 */
export declare function shared(own: ChangeSet, done: ChangeSet): readonly [ChangeSet, ChangeSet | null];
/** Return what a change set inserts, in parts where it inserts in several places. */
export declare function insertedBy(changes: ChangeSet): string;
/** Return how many units a change set deletes and inserts. */
export declare function sizeOf(changes: ChangeSet): number;
