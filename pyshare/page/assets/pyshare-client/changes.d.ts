/** Operations on change sets that @codemirror/state does not have. No state. */
import { ChangeSet, type Text } from "@codemirror/state";
import type { CommittedUpdate } from "./protocol.js";
/** Return what leads from one text to another. */
export declare function difference(from: Text, to: Text): ChangeSet;
/** Return whether a position is inside a surrogate pair. */
export declare function splitsPair(text: string, pos: number): boolean;
/** Return whether a change set for that text inserts half of a surrogate pair, or divides one: no server takes that. */
export declare function hasHalves(changes: ChangeSet, doc: Text): boolean;
/** Return several change sets, each after the one before, as one of a text of that length. */
export declare function composed(sets: readonly ChangeSet[], length: number): ChangeSet;
/** Return the updates of each push: those that stand together and have sender and number in common. */
export declare function byPush(updates: readonly CommittedUpdate[]): CommittedUpdate[][];
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
