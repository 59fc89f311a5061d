/**
 * Edits that are not known to be committed: a chain of change sets, from the committed text to the one on the screen.
 *
 * First the push in flight, then what waits behind it, then what was typed since. They are rebased push by push, as
 * @codemirror/collab does, and kept short by composing.
 */

import type { ChangeSet, StateEffect } from "@codemirror/state";

import { composed, cut, insertedBy, shared, type PartLimits } from "./changes.js";
import { NOTHING, setTyped, type Screen } from "./screen.js";

/** The one push whose fate is not known. */
export interface InFlight {
  readonly seq: number;
  readonly changes: ChangeSet;
  /** Edits that are confirmed with it. */
  readonly edits: number;
  readonly sent: boolean;
}

export class Unconfirmed {
  readonly #screen: Screen;
  #inFlight: InFlight | null = null;
  /** What waits behind the push in flight, and the edits that are confirmed with the last of it. */
  #rest: ChangeSet | null = null;
  #restEdits = 0;

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  get inFlight(): InFlight | null {
    return this.#inFlight;
  }

  /** The number of edits. */
  get edits(): number {
    return (this.#inFlight?.edits ?? 0) + this.#restEdits + this.#screen.typed.edits;
  }

  /** All change sets, each after the one before. */
  get chain(): readonly ChangeSet[] {
    return [...this.pushed, ...this.#screen.typed.sets];
  }

  /** The change sets that are not typed any more: what is in flight and what waits behind it. */
  get pushed(): readonly ChangeSet[] {
    return [this.#inFlight?.changes, this.#rest].filter((each) => each != null);
  }

  /** Take up the edits of an earlier page, the first of them in flight under `seq` if there is such a push. */
  restore(inFlight: ChangeSet | null, seq: number, rest: ChangeSet | null, edits: number): void {
    this.#inFlight = inFlight && { seq, changes: inFlight, edits: rest === null ? edits : 0, sent: false };
    this.#rest = rest;
    this.#restEdits = rest === null ? 0 : edits;
  }

  /** Let edits go into flight under `seq`, as far as the limits allow. Return false if they come to nothing. */
  launch(seq: number, limits: PartLimits, length: number): boolean {
    while (this.#rest === null || this.#rest.empty) {
      const { sets, edits } = this.#screen.typed;
      this.#rest = sets.length > 0 ? composed(sets, length) : null;
      this.#restEdits = edits;
      if (this.#rest === null) return false;
      this.#screen.dispatch({ effects: setTyped.of(NOTHING) });
    }
    const [changes, rest] = cut(this.#rest, limits);
    this.#inFlight = { seq, changes, edits: rest ? 0 : this.#restEdits, sent: false };
    this.#rest = rest;
    if (rest === null) this.#restEdits = 0;
    return true;
  }

  /** Note whether the push in flight was sent on this connection, and its number. */
  mark(sent: boolean, seq = this.#inFlight?.seq ?? 0): void {
    if (this.#inFlight) this.#inFlight = { ...this.#inFlight, sent, seq };
  }

  /** Whether the push in flight is what `done` does, which is committed under its number, rebased in some way. */
  isFlyingIn(done: ChangeSet): boolean {
    const flying = this.#inFlight?.changes;
    if (flying === undefined) return false;
    return insertedBy(flying) === insertedBy(done) || !shared(flying, done)[0].empty;
  }

  /** The push in flight is committed: return what it does, and forget it. */
  land(): ChangeSet | null {
    const changes = this.#inFlight?.changes ?? null;
    this.#inFlight = null;
    return changes;
  }

  /** What waits while no push is in flight. */
  get waiting(): ChangeSet | null {
    return this.#inFlight === null ? this.#rest : null;
  }

  /** Return the part of what waits that `done` does as well, and forget that part; null if there is none. */
  settle(done: ChangeSet): ChangeSet | null {
    if (this.waiting === null) return null;
    const [settled, rest] = shared(this.waiting, done);
    if (settled.empty) return null;
    this.#rest = rest;
    if (rest === null) this.#restEdits = 0;
    return settled;
  }

  /** Put the push in flight back to what waits. */
  recall(): void {
    const flying = this.#inFlight;
    if (flying === null) return;
    this.#restEdits += flying.edits;
    this.#rest = this.#rest === null ? flying.changes : flying.changes.compose(this.#rest);
    this.#inFlight = null;
  }

  /** Forget the push in flight and what waits behind it, and what was typed since too if `all`. */
  forget(all: boolean): void {
    this.#inFlight = null;
    this.#rest = null;
    this.#restEdits = 0;
    if (all && this.#screen.typed.edits > 0) this.#screen.dispatch({ effects: setTyped.of(NOTHING) });
  }

  /**
   * Move the chain behind `changes`, which others have made to the text where it starts, and the text on the screen.
   * At a tie others stay left, since they are in the log and these are not.
   */
  passOver(changes: ChangeSet): void {
    let others = changes;
    const moved = (own: ChangeSet): ChangeSet => {
      const mapped = own.map(others);
      others = others.map(own, true);
      return mapped;
    };
    this.#screen.clear();
    if (this.#inFlight) this.#inFlight = { ...this.#inFlight, changes: moved(this.#inFlight.changes) };
    if (this.#rest) this.#rest = moved(this.#rest);
    const { sets, edits } = this.#screen.typed;
    const effects: StateEffect<unknown>[] = sets.length > 0 ? [setTyped.of({ sets: sets.map(moved), edits })] : [];
    this.#screen.dispatch({ changes: others, effects });
  }
}
