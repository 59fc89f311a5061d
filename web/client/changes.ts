/** Operations on change sets that @codemirror/state does not have. No state. */

import { diff } from "@codemirror/merge";
import { ChangeSet, type ChangeSpec, type Text } from "@codemirror/state";

import type { CommittedUpdate } from "./protocol.js";

/** What may be spent on a difference, by @codemirror/merge; beyond that it is coarser, never wrong. */
const DIFFERENCE = { scanLimit: 1000, timeout: 200 };

/** Return what leads from one text to another. */
export function difference(from: Text, to: Text): ChangeSet {
  const [before, after] = [from.toString(), to.toString()];
  const specs: ChangeSpec[] = diff(before, after, DIFFERENCE).map(({ fromA, toA, fromB, toB }) => {
    // Never inside a surrogate pair: edits on either side of it would part it.
    const start = splitsPair(before, fromA) || splitsPair(after, fromB) ? 1 : 0;
    const end = splitsPair(before, toA) || splitsPair(after, toB) ? 1 : 0;
    return { from: fromA - start, to: toA + end, insert: to.slice(fromB - start, toB + end) };
  });
  return ChangeSet.of(specs, from.length);
}

/** Return whether a position is inside a surrogate pair. */
export function splitsPair(text: string, pos: number): boolean {
  return /^[\uD800-\uDBFF][\uDC00-\uDFFF]$/.test(text.slice(pos - 1, pos + 1)) && pos > 0;
}

/** Return whether a change set for that text inserts half of a surrogate pair, or divides one: no server takes that. */
export function hasHalves(changes: ChangeSet, doc: Text): boolean {
  let found = false;
  const divides = (pos: number): boolean => pos > 0 && splitsPair(doc.sliceString(pos - 1, pos + 1), 1);
  changes.iterChanges((from, to, _fromB, _toB, inserted) => {
    found ||= /\p{Surrogate}/u.test(inserted.toString()) || divides(from) || divides(to);
  }, true);
  return found;
}

/** Return several change sets, each after the one before, as one of a text of that length. */
export function composed(sets: readonly ChangeSet[], length: number): ChangeSet {
  if (sets.length === 0) return ChangeSet.empty(length);
  // The last ones are joined first, since they are the small ones.
  return sets.reduceRight((changes, each) => each.compose(changes));
}

/** Return the updates of each push: those that stand together and have sender and number in common. */
export function byPush(updates: readonly CommittedUpdate[]): CommittedUpdate[][] {
  const pushes: CommittedUpdate[][] = [];
  for (const update of updates) {
    const last = pushes.at(-1);
    if (last && last[0]!.sender === update.sender && last[0]!.seq === update.seq) last.push(update);
    else pushes.push([update]);
  }
  return pushes;
}

/**
 * Return the part of `own` that `done` does as well, and the part that follows it; null if the first is all.
 *
 * Both sets are for one text. A change of `own` is done if `done` changes that place too and inserts the same text, or
 * more: then both come from one hand, which has gone on typing. Where `done` inserts the beginning only, the end is left.
 */
export function shared(own: ChangeSet, done: ChangeSet): readonly [ChangeSet, ChangeSet | null] {
  const all: { readonly from: number; readonly to: number; readonly text: string }[] = [];
  done.iterChanges((from, to, _fromB, _toB, inserted) => all.push({ from, to, text: inserted.toString() }));
  const first: ChangeSpec[] = [];
  const rest: ChangeSpec[] = [];
  let shift = 0;
  let index = 0;
  own.iterChanges((from, to, _fromB, _toB, inserted) => {
    while (index + 1 < all.length && all[index + 1]!.from <= from) index++;
    const other = all[index];
    const text = inserted.toString();
    let taken: number | null = null;
    if (other && other.from <= from && other.to >= to) {
      if (other.text.includes(text)) taken = text.length;
      else if (other.from === from && other.to === to && text.startsWith(other.text)) taken = other.text.length;
    }
    if (taken === null) {
      rest.push({ from: from + shift, to: to + shift, insert: inserted });
      return;
    }
    first.push({ from, to, insert: inserted.slice(0, taken) });
    if (taken < text.length) rest.push({ from: from + shift + taken, insert: inserted.slice(taken) });
    shift += taken - (to - from);
  });
  const part = ChangeSet.of(first, own.length);
  return [part, rest.length > 0 ? ChangeSet.of(rest, part.newLength) : null];
}

/** Return what a change set inserts, in parts where it inserts in several places. */
export function insertedBy(changes: ChangeSet): string {
  const parts: string[] = [];
  changes.iterChanges((_fromA, _toA, _fromB, _toB, inserted) => {
    if (inserted.length > 0) parts.push(inserted.toString());
  });
  return parts.join("\n");
}

/** Return how many units a change set deletes and inserts. */
export function sizeOf(changes: ChangeSet): number {
  let size = 0;
  changes.iterChanges((fromA, toA, _fromB, _toB, inserted) => (size += toA - fromA + inserted.length));
  return size;
}
