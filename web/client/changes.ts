/** What is done with change sets that @codemirror/state leaves open. No state. */

import { diff } from "@codemirror/merge";
import { ChangeSet, type ChangeSpec, type Text } from "@codemirror/state";

import type { CommittedUpdate } from "./protocol.js";

/** Updates of one push, so that rebasing it is no burden to others. */
const PUSH_UPDATES = 256;

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

/** Return several updates, each after the one before, as one change set of a text of that length. */
export function composed(updates: readonly { readonly changes: ChangeSet }[], length: number): ChangeSet {
  const [first, ...others] = updates;
  if (first === undefined) return ChangeSet.empty(length);
  return others.reduce((changes, each) => changes.compose(each.changes), first.changes);
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

/** Return how many updates, at least one, go into a push of so many bytes. */
export function fitting(updates: readonly { readonly changes: ChangeSet }[], limitBytes: number): number {
  let bytes = 0;
  let count = 0;
  for (const { changes } of updates.slice(0, PUSH_UPDATES)) {
    bytes += jsonBytes(changes);
    if (count > 0 && bytes > limitBytes) break;
    count++;
  }
  return count;
}

/** Whether a change set takes more than so many bytes as JSON. */
export function tooLarge(changes: ChangeSet, limitBytes: number): boolean {
  // Six bytes is what one unit takes at most: most edits need no closer look.
  return 6 * changes.newLength > limitBytes && jsonBytes(changes) > limitBytes;
}

function jsonBytes(changes: ChangeSet): number {
  return new TextEncoder().encode(JSON.stringify(changes.toJSON())).length;
}

/** Return what a change set inserts, in parts where it inserts in several places. */
export function insertedBy(changes: ChangeSet): string {
  const parts: string[] = [];
  changes.iterChanges((_fromA, _toA, _fromB, _toB, inserted) => {
    if (inserted.length > 0) parts.push(inserted.toString());
  });
  return parts.join("\n");
}
