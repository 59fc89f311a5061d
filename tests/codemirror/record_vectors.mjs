// Writes vectors.json: what the real CodeMirror answers to some thousand questions about change sets.
//   node record_vectors.mjs           write it
//   node record_vectors.mjs --check   make it again and compare; exit 1 if it differs
//
// The questions follow from a fixed seed, so the file changes only when this script or CodeMirror does.

import { readFileSync, writeFileSync } from "node:fs";

import { rebaseUpdates } from "@codemirror/collab";
import { ChangeSet } from "@codemirror/state";

import { answer, toText } from "./answers.mjs";

const SEED = 20240607;
const FILE = new URL("vectors.json", import.meta.url);
const COUNTS = { of: 500, pair: 700, compose: 450, invert: 250, positions: 300, changes: 250, rebase: 400, editor: 300 };

// What texts are made of: few letters, so that they repeat; line breaks; what only looks like one; astral characters.
const DOC_PARTS = ["a", "b", "c", "\n", "\u00e9", "\u{1f600}"];
const INSERT_PARTS = ["X", "Y", "a", "", "\n", "\r\n", "\r", "\u2028", "\u0085", "\u000b", "\u{1f600}", "\u{1d11e}"];

/** mulberry32: numbers from 0 up to 1 that follow from the seed. */
function seeded(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const random = seeded(SEED);
const upTo = (most) => Math.floor(random() * (most + 1));
const chance = (share) => random() < share;
const pick = (list) => list[upTo(list.length - 1)];
const times = (count, make) => Array.from({ length: count }, make);
const joined = (parts, most) => times(upTo(most), () => pick(parts)).join("");

const randomDoc = () => (chance(0.1) ? "" : joined(DOC_PARTS, 9));

function randomSpec(length) {
  const from = upTo(length);
  const to = chance(0.4) ? from : Math.min(length, from + upTo(4));
  return { from, to, insert: chance(0.25) ? "" : joined(INSERT_PARTS, 3) };
}

const ofSpecs = (length, most) => ChangeSet.of(times(upTo(most), () => randomSpec(length)), length);

/** Sections as a stranger may send them: next to each other in every way, not joined where they could be. */
function ofSections(length) {
  const parts = [];
  for (let left = length; left || chance(0.4); ) {
    const size = Math.min(left, upTo(3));
    const lines = toText(joined(INSERT_PARTS, 2).replace(/\r\n?/g, "\n")).toJSON();
    if (size && chance(0.4)) parts.push(size);
    else if (size && chance(0.5)) parts.push([size]);
    else if (lines.join("\n")) parts.push([size, ...lines]);
    else if (size) parts.push([size]);
    left -= size;
  }
  return ChangeSet.fromJSON(parts);
}

/** A change set for a text of `length`: of specs, of sections, composed, mapped or inverted. */
function randomSet(length) {
  const first = chance(0.35) ? ofSections(length) : ofSpecs(length, 3);
  if (chance(0.15)) return first.compose(ofSpecs(first.newLength, 3));
  if (chance(0.1)) {
    const other = toText("x".repeat(length));
    const undone = first.invert(other);
    return first.compose(undone).compose(ofSpecs(length, 2));
  }
  return first;
}

const someSets = (length, most) => {
  const sets = [];
  for (let left = 1 + upTo(most - 1); left; left -= 1) {
    const set = randomSet(length);
    if (set.empty) continue;
    sets.push(set);
    length = set.newLength;
  }
  return sets;
};

/**
 * What client "a" has not had confirmed yet, for a text of `length`, and the pushes that are committed meanwhile:
 * those of others, and now and then (or first of all) some updates of its own.
 */
function randomTraffic(length) {
  const own = someSets(length, 3);
  const pushes = [];
  let pending = own.map((changes) => ({ clientID: "a", changes }));
  let confirms = chance(0.2);
  for (let left = 1 + upTo(3); left; left -= 1) {
    let push = someSets(length, 3).map((changes) => ({ clientID: pick(["b", "c"]), changes }));
    if (confirms && pending.length) {
      push = pending.slice(0, 1 + upTo(pending.length - 1));
    } else {
      push = push.map((update) => ({ ...update, clientID: push[0].clientID }));
    }
    confirms = chance(0.15);
    if (!push.length) continue;
    pending = rebaseUpdates(pending, push);
    length = push.at(-1).changes.newLength;
    pushes.push(push.map(({ clientID, changes }) => ({ sender: clientID, changes: changes.toJSON() })));
  }
  return { own: own.map((set) => set.toJSON()), pushes };
}

const QUESTIONS = {
  of() {
    const doc = randomDoc();
    return { doc, specs: times(upTo(4), () => randomSpec(doc.length)) };
  },
  pair() {
    const doc = randomDoc();
    return { doc, a: randomSet(doc.length).toJSON(), b: randomSet(doc.length).toJSON() };
  },
  compose() {
    const doc = randomDoc();
    const a = randomSet(doc.length);
    return { doc, a: a.toJSON(), b: randomSet(a.newLength).toJSON() };
  },
  invert() {
    const doc = randomDoc();
    return { doc, json: randomSet(doc.length).toJSON() };
  },
  positions: () => ({ json: randomSet(upTo(9)).toJSON() }),
  changes: () => ({ json: randomSet(upTo(9)).toJSON() }),
  rebase() {
    const doc = randomDoc();
    const { own, pushes } = randomTraffic(doc.length);
    return { doc, push: own, sender: "a", over: pushes };
  },
  editor() {
    const doc = randomDoc();
    const { own, pushes } = randomTraffic(doc.length);
    return { doc, unconfirmed: own, frames: pushes };
  },
};

// Why a push is one unit everywhere: the same two updates of "b", as two pushes and as one.
const DELETES = { sender: "b", changes: [1, [1]] };
const INSERTS = { sender: "b", changes: [1, [0, "R"]] };
const BY_HAND = [[[DELETES], [INSERTS]], [[DELETES, INSERTS]]].flatMap((pushes) => [
  { kind: "rebase", doc: "ab", push: [[1, [0, "X"], 1]], sender: "a", over: pushes },
  { kind: "editor", doc: "ab", unconfirmed: [[1, [0, "X"], 1]], frames: pushes },
]);

function recorded() {
  const drawn = Object.entries(COUNTS).flatMap(([kind, count]) => times(count, () => ({ kind, ...QUESTIONS[kind]() })));
  const lines = [...BY_HAND, ...drawn].map((question) => JSON.stringify(answer(question)));
  const escape = (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return `[\n${lines.join(",\n")}\n]\n`.replace(/[\u007f-\uffff]/g, escape);
}

const made = recorded();
if (process.argv.includes("--check")) {
  const [now, before] = [made.split("\n"), readFileSync(FILE, "utf8").split("\n")];
  const line = now.findIndex((text, index) => text !== before[index]);
  if (made !== before.join("\n")) {
    const where = line < 0 ? now.length : line + 1;
    console.error(`vectors.json differs from what CodeMirror answers, first at line ${where}: run record_vectors.mjs`);
    process.exit(1);
  }
} else {
  writeFileSync(FILE, made);
}
