/** What is done with change sets that @codemirror/state leaves open. No state. */
import { ChangeSet, type Text } from "@codemirror/state";
import type { CommittedUpdate } from "./protocol.js";
/** Return what leads from one text to another. */
export declare function difference(from: Text, to: Text): ChangeSet;
/** Return several updates, each after the one before, as one change set of a text of that length. */
export declare function composed(updates: readonly {
    readonly changes: ChangeSet;
}[], length: number): ChangeSet;
/** Return the updates of each push: those that stand together and have sender and number in common. */
export declare function byPush(updates: readonly CommittedUpdate[]): CommittedUpdate[][];
/** Return how many updates, at least one, go into a push of so many bytes. */
export declare function fitting(updates: readonly {
    readonly changes: ChangeSet;
}[], limitBytes: number): number;
/** Whether a change set takes more than so many bytes as JSON. */
export declare function tooLarge(changes: ChangeSet, limitBytes: number): boolean;
/** Return what a change set inserts, in parts where it inserts in several places. */
export declare function insertedBy(changes: ChangeSet): string;
