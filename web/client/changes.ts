/** What is done with change sets that @codemirror/state leaves open. No state. */

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

function splitsPair(text: string, pos: number): boolean {
  return /^[\uD800-\uDBFF][\uDC00-\uDFFF]$/.test(text.slice(pos - 1, pos + 1)) && pos > 0;
}

/** Return several change sets, each after the one before, as one of a text of that length. */
export function composed(sets: readonly ChangeSet[], length: number): ChangeSet {
  return sets.length === 0 ? ChangeSet.empty(length) : sets.reduce((changes, each) => changes.compose(each));
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

/** What one part of a push may take: bytes as JSON, and sections. */
export interface PartLimits {
  readonly bytes: number;
  readonly sections: number;
}

/** Bytes that one unit takes in JSON at most, and a change with what is kept before it besides its text. */
const UNIT_BYTES = 6;
const CHANGE_BYTES = 48;

/**
 * Return a change set as a part that surely fits the limits, and the part that follows it; null if the first is all.
 *
 * The second is for the text after the first, and both together do what the whole does. A change too long for any
 * part is cut within, never inside a surrogate pair. The first part is never empty.
 */
export function cut(changes: ChangeSet, limits: PartLimits): readonly [ChangeSet, ChangeSet | null] {
  if (fits(changes, limits)) return [changes, null];
  const first: ChangeSpec[] = [];
  const rest: ChangeSpec[] = [];
  let spent = 0;
  // How far the first part moves what stands behind it, and how long it makes the text.
  let shift = 0;
  changes.iterChanges((fromA, toA, _fromB, _toB, inserted) => {
    let room = limits.bytes - spent - CHANGE_BYTES;
    if (first.length === 0) room = Math.max(room, 2 * UNIT_BYTES);
    const full = first.length > 0 && 2 * first.length + 3 > limits.sections;
    if (rest.length > 0 || room <= 0 || full) {
      rest.push({ from: fromA + shift, to: toA + shift, insert: inserted });
      return;
    }
    const text = inserted.toString();
    const taken = fittingUnits(text, room);
    first.push({ from: fromA, to: toA, insert: inserted.slice(0, taken) });
    if (taken < text.length) rest.push({ from: fromA + shift + taken, insert: inserted.slice(taken) });
    spent += CHANGE_BYTES + textBytes(text.slice(0, taken));
    shift += taken - (toA - fromA);
  });
  const part = ChangeSet.of(first, changes.length);
  return [part, rest.length > 0 ? ChangeSet.of(rest, part.newLength) : null];
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

function fits(changes: ChangeSet, { bytes, sections }: PartLimits): boolean {
  const json = changes.toJSON() as readonly unknown[];
  if (json.length > sections) return false;
  // Six bytes is what one unit takes at most: most edits need no closer look.
  const most = UNIT_BYTES * changes.newLength + CHANGE_BYTES * json.length;
  return most <= bytes || new TextEncoder().encode(JSON.stringify(json)).length <= bytes;
}

/** Return how many units of the beginning of a text take no more than so many bytes, whole pairs only. */
function fittingUnits(text: string, roomBytes: number): number {
  let low = Math.min(text.length, Math.floor(roomBytes / UNIT_BYTES));
  let high = text.length;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (textBytes(text.slice(0, middle)) <= roomBytes) low = middle;
    else high = middle - 1;
  }
  return splitsPair(text, low) ? low - 1 : low;
}

/** Return about how many bytes a text takes as JSON, as a list of lines; not less than it does. */
function textBytes(text: string): number {
  const lines = text.split("\n").length - 1;
  return new TextEncoder().encode(JSON.stringify(text)).length + lines;
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
