/**
 * Edits that are not known to be committed: a chain of change sets, from the committed text to the one on the screen.
 *
 * First the push in flight, then what waits behind it, then what was typed since. They are rebased push by push, as
 * @codemirror/collab does, and kept short by composing. The newest edits are kept apart: they are launched together, and
 * can be launched one by one, so that one that is refused takes no other with it.
 */

import type { ChangeSet, StateEffect } from "@codemirror/state";

import { composed, insertedBy, shared } from "./changes.js";
import { cut, fits, measure, shed, type PartLimits } from "./parcel.js";
import { joined, NOTHING, setTyped, type Screen, type Unit } from "./screen.js";

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

/** Pushes of others that edits are moved behind one by one, before they are composed. */
const MOVES = 64;

/** Sections of a change set that is one change, and so cannot be cut in two, at most. */
const ONE_CHANGE = 3;

export class Unconfirmed {
  readonly #screen: Screen;
  #inFlight: InFlight | null = null;
  /** What waits behind the push in flight and is not typed any more, each after the one before. */
  #waiting: readonly Unit[] = [];
  /** Pushes of others that single edits were moved behind. */
  #moves = 0;
  /** Units that are launched one at a time; and sections of a push, where fewer are taken than the limits say. */
  #alone = 0;
  #sections = Infinity;

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  get inFlight(): InFlight | null {
    return this.#inFlight;
  }

  /** The number of edits. */
  get edits(): number {
    return (this.#inFlight?.edits ?? 0) + count(this.#waiting) + count(this.#screen.typed);
  }

  /** All change sets, each after the one before; that in flight is the first one. */
  get chain(): readonly ChangeSet[] {
    const flying = this.#inFlight === null ? [] : [this.#inFlight.changes];
    return [...flying, ...setsOf(this.#waiting), ...setsOf(this.#screen.typed)];
  }

  /** Take up the edits of an earlier page, the first of them in flight under `seq` if there is such a push. */
  restore(inFlight: ChangeSet | null, seq: number, isPart: boolean, waiting: readonly ChangeSet[]): void {
    this.#inFlight = inFlight && { seq, changes: inFlight, edits: isPart ? 0 : 1, isPart, units: [], sent: false };
    this.#waiting = waiting.map((changes) => ({ changes, edits: 1 }));
  }

  /** Let edits go into flight under `seq`, as far as the limits allow. Return false if they come to nothing. */
  launch(seq: number, limits: PartLimits, length: number): boolean {
    if (this.#sections >= limits.sections) this.#sections = Infinity;
    const { bytes, sections } = { ...limits, sections: Math.min(limits.sections, this.#sections) };
    for (;;) {
      if (this.#waiting.length === 0) {
        this.#waiting = this.#screen.typed;
        if (this.#waiting.length === 0) return false;
        this.#screen.dispatch({ effects: setTyped.of(NOTHING) });
      }
      const units = this.#takeUnits({ bytes, sections });
      const whole = composed(setsOf(units), length);
      if (whole.empty) continue;
      const [changes, rest] = cut(whole, { bytes, sections });
      const isPart = rest !== null;
      if (isPart) this.#waiting = [{ changes: rest, edits: count(units) }, ...this.#waiting];
      else this.#alone = Math.max(0, this.#alone - 1);
      const apart = units.length > 1 && !isPart ? units : [];
      this.#inFlight = { seq, changes, edits: isPart ? 0 : count(units), isPart, units: apart, sent: false };
      return true;
    }
  }

  /** Take the units of the next push from what waits: as many as surely fit, or one. */
  #takeUnits(limits: PartLimits): readonly Unit[] {
    let taken = 0;
    let [bytes, sections] = [0, 0];
    for (const { changes } of this.#waiting) {
      const more = measure(changes);
      bytes += more.bytes;
      sections += more.sections;
      if (taken > 0 && (this.#alone > 0 || bytes > limits.bytes || sections > limits.sections)) break;
      taken++;
    }
    const units = this.#waiting.slice(0, taken);
    this.#waiting = this.#waiting.slice(taken);
    return units;
  }

  /**
   * Have the push in flight, which others may have made larger, fit the limits.
   *
   * It may have arrived as it was. So it keeps its number and all that it inserts, and leaves deletions to the next
   * push. Where that does not do, it is put back.
   */
  fit(limits: PartLimits): void {
    const flying = this.#inFlight;
    if (flying === null) return;
    const [changes, rest] = shed(flying.changes, limits);
    if (rest !== null) {
      const [first, ...others] = this.#waiting;
      const left = flying.isPart && first ? { ...first, changes: rest.compose(first.changes) } : null;
      this.#waiting = left ? [left, ...others] : [{ changes: rest, edits: flying.edits }, ...this.#waiting];
      this.#inFlight = { ...flying, changes, edits: 0, isPart: true, units: [] };
    }
    if (!fits(changes, limits)) this.recall();
  }

  /** Note whether the push in flight was sent on this connection, and its number. */
  mark(sent: boolean, seq = this.#inFlight?.seq ?? 0): void {
    if (this.#inFlight) this.#inFlight = { ...this.#inFlight, sent, seq };
  }

  /**
   * Whether the push in flight is what `done` does, which is committed under its number, rebased in some way.
   *
   * It inserts the same then. One that only deletes is done where nothing is left for it to delete.
   */
  isFlyingIn(done: ChangeSet): boolean {
    const flying = this.#inFlight?.changes;
    if (flying === undefined) return false;
    const inserted = insertedBy(flying);
    return inserted === "" ? flying.map(done).empty : inserted === insertedBy(done);
  }

  /** The push in flight is committed: return what it does, and forget it. */
  land(): ChangeSet | null {
    const changes = this.#inFlight?.changes ?? null;
    this.#inFlight = null;
    this.#sections *= 2;
    return changes;
  }

  /** What waits while no push is in flight. */
  get waiting(): ChangeSet | null {
    return this.#inFlight === null && this.#waiting.length > 0 ? composed(setsOf(this.#waiting), 0) : null;
  }

  /** Return the part of what waits that `done` does as well, and forget that part; null if there is none. */
  settle(done: ChangeSet): ChangeSet | null {
    const { waiting } = this;
    if (waiting === null) return null;
    const [settled, rest] = shared(waiting, done);
    if (settled.empty) return null;
    this.#waiting = rest === null ? [] : [{ changes: rest, edits: count(this.#waiting) }];
    return settled;
  }

  /** Put the push in flight back to what waits, to be launched again. */
  recall(): void {
    const flying = this.#inFlight;
    if (flying === null) return;
    this.#inFlight = null;
    const [first, ...others] = this.#waiting;
    if (flying.isPart && first)
      this.#waiting = [{ ...first, changes: flying.changes.compose(first.changes) }, ...others];
    else this.#waiting = [...unitsOf(flying), ...this.#waiting];
  }

  /** Put the push in flight, which was refused, back to be launched edit by edit. Return false if it is one edit. */
  divide(): boolean {
    const units = this.#inFlight === null ? [] : unitsOf(this.#inFlight);
    if (units.length < 2) return false;
    this.#alone = units.length;
    this.recall();
    return true;
  }

  /** Put the push in flight, which was refused, back to be launched in parts. Return false if it is one change. */
  shrink(): boolean {
    const sections = this.#inFlight === null ? 0 : (this.#inFlight.changes.toJSON() as readonly unknown[]).length;
    if (sections <= ONE_CHANGE) return false;
    this.#sections = Math.floor(sections / 2);
    this.recall();
    return true;
  }

  /** Forget the push in flight and what it left to the next one. Return what they do. */
  takeFlying(length: number): ChangeSet {
    const flying = this.#inFlight;
    const first = flying?.isPart ? this.#waiting[0] : undefined;
    if (first) this.#waiting = this.#waiting.slice(1);
    this.#inFlight = null;
    return composed(
      [flying?.changes, first?.changes].filter((each) => each !== undefined),
      length,
    );
  }

  /** Forget everything. Return what it does. */
  takeAll(length: number): ChangeSet {
    const all = composed(this.chain, length);
    this.#inFlight = null;
    this.#waiting = [];
    if (this.#screen.typed.length > 0) this.#screen.dispatch({ effects: setTyped.of(NOTHING) });
    return all;
  }

  /** Compose what waits and what was typed, so that little has to be moved behind changes of others. */
  shorten(): void {
    this.#moves = 0;
    if (this.#inFlight) this.#inFlight = { ...this.#inFlight, units: [] };
    const [first, ...others] = this.#waiting;
    this.#waiting = this.#inFlight?.isPart && first ? [first, ...joined(others)] : joined(this.#waiting);
    const { typed } = this.#screen;
    if (typed.length > 1) this.#screen.dispatch({ effects: setTyped.of(joined(typed)) });
  }

  /**
   * Move the chain behind `changes`, which others have made to the text where it starts, and the text on the screen.
   * At a tie others stay left, since they are in the log and these are not.
   */
  passOver(changes: ChangeSet): void {
    this.#screen.clear();
    let others = changes;
    const move = (own: ChangeSet): ChangeSet => {
      const moved = own.map(others);
      others = others.map(own, true);
      return moved;
    };
    const moveAll = (units: readonly Unit[]): readonly Unit[] =>
      units.map((unit) => ({ ...unit, changes: move(unit.changes) }));
    if (this.#inFlight) {
      const units = moveAll(this.#inFlight.units);
      others = changes;
      this.#inFlight = { ...this.#inFlight, units, changes: move(this.#inFlight.changes) };
    }
    this.#waiting = moveAll(this.#waiting);
    const { typed } = this.#screen;
    const effects: StateEffect<unknown>[] = typed.length > 0 ? [setTyped.of(moveAll(typed))] : [];
    this.#screen.dispatch({ changes: others, effects });
    const isApart = [this.#inFlight?.units ?? [], this.#waiting, typed].some((units) => units.length > 1);
    if (isApart && ++this.#moves >= MOVES) this.shorten();
  }
}

function count(units: readonly Unit[]): number {
  return units.reduce((sum, { edits }) => sum + edits, 0);
}

function setsOf(units: readonly Unit[]): readonly ChangeSet[] {
  return units.map(({ changes }) => changes);
}

/** Return the units of a push; one, if moved one by one they no longer do what the push does. */
function unitsOf({ changes, edits, units }: InFlight): readonly Unit[] {
  const whole = units.length > 0 ? composed(setsOf(units), 0) : null;
  const isSame = whole !== null && JSON.stringify(whole) === JSON.stringify(changes);
  return isSame ? units : [{ changes, edits }];
}
