/**
 * Edits that are not known to be committed: a chain of change sets, from the committed text to the one on the screen.
 *
 * First the push in flight, then what waits behind it, then what was typed since. They are rebased push by push, as
 * @codemirror/collab does, and kept short by composing.
 */
import type { ChangeSet } from "@codemirror/state";
import { type PartLimits } from "./changes.js";
import { type Screen } from "./screen.js";
/** The one push whose fate is not known. */
export interface InFlight {
    readonly seq: number;
    readonly changes: ChangeSet;
    /** Edits that are confirmed with it. */
    readonly edits: number;
    readonly sent: boolean;
}
export declare class Unconfirmed {
    #private;
    constructor(screen: Screen);
    get inFlight(): InFlight | null;
    /** The number of edits. */
    get edits(): number;
    /** All change sets, each after the one before. */
    get chain(): readonly ChangeSet[];
    /** The change sets that are not typed any more: what is in flight and what waits behind it. */
    get pushed(): readonly ChangeSet[];
    /** Take up the edits of an earlier page, the first of them in flight under `seq` if there is such a push. */
    restore(inFlight: ChangeSet | null, seq: number, rest: ChangeSet | null, edits: number): void;
    /** Let edits go into flight under `seq`, as far as the limits allow. Return false if they come to nothing. */
    launch(seq: number, limits: PartLimits, length: number): boolean;
    /** Note whether the push in flight was sent on this connection, and its number. */
    mark(sent: boolean, seq?: number): void;
    /** Whether the push in flight is what `done` does, which is committed under its number, rebased in some way. */
    isFlyingIn(done: ChangeSet): boolean;
    /** The push in flight is committed: return what it does, and forget it. */
    land(): ChangeSet | null;
    /** What waits while no push is in flight. */
    get waiting(): ChangeSet | null;
    /** Return the part of what waits that `done` does as well, and forget that part; null if there is none. */
    settle(done: ChangeSet): ChangeSet | null;
    /** Put the push in flight back to what waits. */
    recall(): void;
    /** Forget the push in flight and what waits behind it, and what was typed since too if `all`. */
    forget(all: boolean): void;
    /**
     * Move the chain behind `changes`, which others have made to the text where it starts, and the text on the screen.
     * At a tie others stay left, since they are in the log and these are not.
     */
    passOver(changes: ChangeSet): void;
}
