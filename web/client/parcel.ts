/** A change set cut in two, so that the first part fits a message and the limits of a push. No state. */

import { ChangeSet, type ChangeSpec } from "@codemirror/state";

import { splitsPair } from "./changes.js";
import type { Limits } from "./protocol.js";

/** Bytes that a change set may take as JSON, and sections that it may have. */
export interface PartLimits {
  readonly bytes: number;
  readonly sections: number;
}

/** Of the limits of a push, the share that one may take when it is made: one that is rebased can grow. */
const SHARE = 2;

/** Sections of a push that is made, at most: others rebase over so many without a pause. */
const PART_SECTIONS = 8192;

/** Bytes of a push besides its change set, at most. */
const FRAME_BYTES = 100;

/** Bytes that one unit takes in JSON at most, and a change with what is kept before it besides its text. */
const UNIT_BYTES = 6;
const CHANGE_BYTES = 48;

/** Return the limits of a push when it is made: half of the server's, and no more than others rebase over easily. */
export function partLimits({ message_bytes, push_sections }: Limits): PartLimits {
  const sections = Math.min(Math.floor((push_sections ?? Infinity) / SHARE), PART_SECTIONS);
  return { bytes: Math.floor(message_bytes / SHARE), sections };
}

/** Return the limits of a push that was made before, and was rebased since: all that the server takes. */
export function pushLimits({ message_bytes, push_sections }: Limits): PartLimits {
  return { bytes: message_bytes - FRAME_BYTES, sections: push_sections ?? Infinity };
}

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
  return parts(changes, first, rest);
}

/**
 * Return the part of a change set that has all that it inserts, and the deletions left to the part that follows it;
 * null if there is nothing to leave.
 *
 * The first part fits the limits, unless what is inserted alone does not. A push that was sent may be committed whole
 * all the same: the first part is then confirmed by what it inserts, and nothing is left of the second one, since nobody
 * can delete a text twice.
 */
export function shed(changes: ChangeSet, limits: PartLimits): readonly [ChangeSet, ChangeSet | null] {
  if (fits(changes, limits)) return [changes, null];
  let inserting = 0;
  let bytes = 0;
  changes.iterChanges((_fromA, _toA, _fromB, _toB, inserted) => {
    if (inserted.length === 0) return;
    inserting++;
    bytes += textBytes(inserted.toString());
  });
  const most = Math.min((limits.sections - 1) / 2, (limits.bytes - bytes) / CHANGE_BYTES);
  let room = Math.floor(most) - inserting;
  const first: ChangeSpec[] = [];
  const rest: ChangeSpec[] = [];
  let shift = 0;
  changes.iterChanges((fromA, toA, _fromB, _toB, inserted) => {
    if (inserted.length === 0 && room-- <= 0) {
      rest.push({ from: fromA + shift, to: toA + shift });
      return;
    }
    first.push({ from: fromA, to: toA, insert: inserted });
    shift += inserted.length - (toA - fromA);
  });
  return parts(changes, first, rest);
}

/** Return what a change set deletes, without what it inserts. */
export function deletions(changes: ChangeSet): ChangeSet {
  const specs: ChangeSpec[] = [];
  changes.iterChanges((from, to) => specs.push({ from, to }));
  return ChangeSet.of(specs, changes.length);
}

function parts(
  whole: ChangeSet,
  first: readonly ChangeSpec[],
  rest: readonly ChangeSpec[],
): [ChangeSet, ChangeSet | null] {
  const part = ChangeSet.of(first, whole.length);
  return [part, rest.length > 0 ? ChangeSet.of(rest, part.newLength) : null];
}

/** Return how many sections a change set has, and how many bytes it takes as JSON at most, by a rough measure. */
export function measure(changes: ChangeSet): PartLimits {
  let sections = 1;
  let bytes = CHANGE_BYTES;
  changes.iterChanges((_fromA, _toA, _fromB, _toB, inserted) => {
    sections += 2;
    bytes += 2 * CHANGE_BYTES + UNIT_BYTES * inserted.length;
  }, true);
  return { bytes, sections };
}

/** Return whether a change set surely fits the limits. */
export function fits(changes: ChangeSet, { bytes, sections }: PartLimits): boolean {
  const most = measure(changes);
  // Most edits need no closer look.
  if (most.bytes <= bytes && most.sections <= sections) return true;
  const json = changes.toJSON() as readonly unknown[];
  return json.length <= sections && new TextEncoder().encode(JSON.stringify(json)).length <= bytes;
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
