/**
 * Edits that are not known to be committed: a chain of change sets, from the committed text to the one on the screen.
 *
 * First the push in flight, then what waits behind it, then what was typed since. They are rebased push by push, as
 * @codemirror/collab does, and kept short by composing. The newest edits are kept apart: they are launched together, and
 * can be launched one by one, so that one that is refused takes no other with it.
 */
import type { ChangeSet } from "@codemirror/state";
import { type PartLimits } from "./parcel.js";
import { type Screen, type Unit } from "./screen.js";
/** The one push whose fate is not known. */
export interface InFlight {
    readonly seq: number;
    readonly changes: ChangeSet;
    /** Edits that are confirmed with it. */
    readonly edits: number;
    /** Whether what waits begins with the part of the last edit that did not fit it. */
    readonly isPart: boolean;
    /** Units that it was made of, if there are several, moved behind others one by one. */
    readonly units: readonly Unit[];
    readonly sent: boolean;
}
export declare class Unconfirmed {
    #private;
    constructor(screen: Screen);
    get inFlight(): InFlight | null;
    /** The number of edits. */
    get edits(): number;
    /** All change sets, each after the one before; that in flight is the first one. */
    get chain(): readonly ChangeSet[];
    /** Take up the edits of an earlier page, the first of them in flight under `seq` if there is such a push. */
    restore(inFlight: ChangeSet | null, seq: number, isPart: boolean, waiting: readonly ChangeSet[]): void;
    /** Let edits go into flight under `seq`, as far as the limits allow. Return false if they come to nothing. */
    launch(seq: number, limits: PartLimits, length: number): boolean;
    /**
     * Have the push in flight, which others may have made larger, fit the limits.
     *
     * It may have arrived as it was. So it keeps its number and all that it inserts, and leaves deletions to the next
     * push. Where that does not do, it is put back.
     */
    fit(limits: PartLimits): void;
    /** Note whether the push in flight was sent on this connection, and its number. */
    mark(sent: boolean, seq?: number): void;
    /**
     * Whether the push in flight is what `done` does, which is committed under its number, rebased in some way.
     *
     * It inserts the same then. One that only deletes is done where nothing is left for it to delete.
     */
    isFlyingIn(done: ChangeSet): boolean;
    /** The push in flight is committed: return what it does, and forget it. */
    land(): ChangeSet | null;
    /** What waits while no push is in flight. */
    get waiting(): ChangeSet | null;
    /** Return the part of what waits that `done` does as well, and forget that part; null if there is none. */
    settle(done: ChangeSet): ChangeSet | null;
    /** Put the push in flight back to what waits, to be launched again. */
    recall(): void;
    /** Put the push in flight, which was refused, back to be launched edit by edit. Return false if it is one edit. */
    divide(): boolean;
    /** Put the push in flight, which was refused, back to be launched in parts. Return false if it is one change. */
    shrink(): boolean;
    /** Forget the push in flight and what it left to the next one. Return what they do. */
    takeFlying(length: number): ChangeSet;
    /** Forget everything. Return what it does. */
    takeAll(length: number): ChangeSet;
    /** Compose what waits and what was typed, so that little has to be moved behind changes of others. */
    shorten(): void;
    /**
     * Move the chain behind `changes`, which others have made to the text where it starts, and the text on the screen.
     * At a tie others stay left, since they are in the log and these are not.
     */
    passOver(changes: ChangeSet): void;
}
