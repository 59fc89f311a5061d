// People as the page and its client have them, without a screen: names, colours, comings, and places for names.
//
//   node people.mjs
//
// Exits 0 if each sentence holds.

import assert from "node:assert/strict";
import { build } from "esbuild";
import { mkdtemp, rm } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const folder = await mkdtemp(`${here}/built-`);
const modules = ["client/colors", "client/language", "client/names", "client/placing", "page/comings", "page/names"];
await build({
  stdin: { contents: modules.map((name) => `export * from "../${name}.ts";`).join("\n"), resolveDir: here },
  bundle: true,
  format: "esm",
  platform: "node",
  outfile: `${folder}/people.mjs`,
});
const people = await import(pathToFileURL(`${folder}/people.mjs`).href);
await rm(folder, { recursive: true });

const plain = (text) => text.replace(/[\u2068\u2069]/g, "");

test("a name is one line that turns no writing, with few marks on a letter, or none if nothing would be seen", () => {
  const { plainName } = people;
  assert.equal(plainName("Ada\0\r\n\u0085\u2028Lovelace "), "Ada Lovelace");
  assert.equal(plainName("\u202egnp.exe"), "gnp.exe");
  assert.equal(plainName("a\u2066b\u2069c"), "abc");
  for (const kept of ["👩‍🚀", "م\u200cن", "e\u0301", "Nguye\u0302\u0303n", "<img onerror>"])
    assert.equal(plainName(kept), kept);
  assert.equal(plainName(`Z${"\u0336\u0321\u0353".repeat(20)}o`), "Z\u0336\u0321\u0353o");
  for (const nothing of ["\u200b\u2060", "\u3164", "\u2800 \u2800", "\u0301", "\u202e", "\n", "\u00ad", ""])
    assert.equal(plainName(nothing), "", JSON.stringify(nothing));
});

test("initials are letters as people count them, and different names have different ones", () => {
  const { initialsOf } = people;
  assert.deepEqual(initialsOf(["Ada", "Ann Teacher", "Ann Marie Smith", ""]), ["A", "AT", "AS", "G"]);
  assert.deepEqual(initialsOf(["Kiwi", "Kestrel"]), ["Ki", "Ke"]);
  const alike = initialsOf(["Kelly", "Kestrel", "Kelvin"]);
  assert.equal(new Set(alike).size, 3, alike.join());
  const twoWords = initialsOf(["Ann Teacher", "Anna Tom", "Adam Tiler"]);
  assert.equal(new Set(twoWords).size, 3, twoWords.join());
  assert.deepEqual(initialsOf(["Pupil 1", "Pupil 11", "Pupil 12", "Pupil"]), ["P1", "11", "12", "P"]);
  // The same name twice is no reason for more letters.
  assert.deepEqual(initialsOf(["Ada", "Ada"]), ["A", "A"]);
  assert.deepEqual(initialsOf(["👩‍🚀 x", "e\u0301mile"]), ["👩‍🚀X", "E\u0301"]);
});

test("people stand in the order of their names", () => {
  const named = (...names) => people.byName(names.map((name) => ({ name }))).map(({ name }) => name);
  assert.deepEqual(named("ben 10", "Zoe", "Ben 9", "éva", "Eve"), ["Ben 9", "ben 10", "éva", "Eve", "Zoe"]);
});

test("a name in a sentence turns nothing around it", () => {
  assert.equal(people.isolated("דנה"), "\u2068דנה\u2069");
  assert.equal(people.isolated(""), "\u2068guest\u2069");
});

const contrast = (one, other) => {
  const light = (hex) => {
    const [r, g, b] = [1, 3, 5]
      .map((at) => parseInt(hex.slice(at, at + 2), 16) / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
  };
  const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
  return high / low;
};

test("each of twelve colours can be read on, and people of a class share them fairly", () => {
  const { COLORS, Palette } = people;
  for (const { light, dark } of COLORS) {
    assert.ok(contrast(light, "#ffffff") >= 4.5, light);
    assert.ok(contrast(dark, "#000000") >= 4.5, dark);
  }
  const ids = Array.from({ length: 32 }, (_, each) => `client ${each}`);
  const palette = new Palette();
  const counts = (present) => {
    palette.assign(present);
    const times = new Map();
    for (const id of present) times.set(palette.of(id), (times.get(palette.of(id)) ?? 0) + 1);
    return [...times.values()].sort();
  };
  assert.deepEqual(counts(ids.slice(0, 12)), Array(12).fill(1));
  const many = counts(ids);
  assert.equal(many.length, 12);
  assert.deepEqual([many[0], many.at(-1)], [2, 3]);
});

const peer = (id, name = id) => ({ id, name, mode: "edit" });
/** Return comings that know of some who were here first. */
function comings(...first) {
  const made = new people.Comings();
  made.update(
    first.map((id) => peer(id)),
    0,
  );
  assert.equal(made.due, null);
  return { made, told: (now) => plain(made.take(now)) };
}

test("who comes within a second is told of together, and who was here first is not", () => {
  const { made, told } = comings("Ann");
  made.update([peer("Ann"), peer("Ben")], 100);
  assert.equal(made.due, 100 + people.GATHER_MS);
  assert.equal(told(1100), "Ben joined.");
  assert.equal(made.due, null);
  const names = ["Chloe", "Dan", "Eve", "Finn", "Gus", "Hal", "Ida"];
  made.update([peer("Ann"), peer("Ben"), ...names.map((name) => peer(name))], 2000);
  assert.equal(told(3000), "Chloe and 6 others joined.");
  assert.equal(told(9000), "");
});

test("who leaves is told of after a while, and not if they come back", () => {
  const { made, told } = comings("Ann", "Ben");
  made.update([peer("Ann")], 1000);
  assert.equal(made.due, 1000 + people.AWAY_MS);
  made.update([peer("Ann"), peer("Ben")], 3000);
  assert.equal(made.due, null);
  made.update([], 4000);
  assert.equal(told(4000 + people.AWAY_MS), "Ann and Ben left.");
  made.update([peer("Ben")], 10_000);
  assert.equal(told(11_000), "Ben joined.");
});

test("who comes and goes at once is not told of", () => {
  const { made, told } = comings();
  made.update([peer("Ben")], 0);
  made.update([], 500);
  assert.equal(told(1000), "");
  assert.equal(told(500 + people.AWAY_MS), "");
  assert.equal(made.due, null);
});

test("of one's own other window nothing is told, whether it was here first or comes later", () => {
  for (const first of [["Me"], []]) {
    const { made, told } = comings(...first);
    made.update([peer("Me")], 0);
    made.forget("Me");
    made.update([], 100);
    assert.equal(told(100 + people.GATHER_MS), "");
    assert.equal(told(100 + people.AWAY_MS), "");
    assert.equal(made.due, null);
  }
});

test("a name that is changed and changed back is not told", () => {
  const { made, told } = comings("Ann", "Ben");
  made.update([peer("Ann", "Anna"), peer("Ben", "Bo")], 0);
  made.update([peer("Ann"), peer("Ben", "Bo")], 300);
  assert.equal(told(1300), "Ben is now Bo.");
});

test("a new name is told with the one before, also if its owner connects again for it", () => {
  const { made, told } = comings("Kestrel");
  made.update([], 0);
  made.update([peer("Kestrel", "Ann")], 300);
  assert.equal(told(1300), "Kestrel is now Ann.");
  made.update(
    ["a", "b", "c"].map((id) => peer(id)),
    2000,
  );
  told(20_000);
  made.update(
    ["a", "b", "c"].map((id) => peer(id, `${id}!`)),
    21_000,
  );
  assert.equal(told(22_000), "3 people have new names.");
});

test("after one's own connection was away, the others have time to come back", () => {
  const { made, told } = comings("Ann", "Ben");
  made.update([], 60_000, true);
  assert.equal(told(60_000 + people.AWAY_MS + people.BACK_MS - 1), "");
  made.update([peer("Ann")], 70_000);
  assert.equal(told(60_000 + people.AWAY_MS + people.BACK_MS), "Ben left.");
});

/** Return a language with what it has told. */
function language() {
  const told = [];
  const made = new people.SharedLanguage((name, id) => told.push(`${name} by ${id || "somebody"}`));
  return { made, told };
}
const sent = (name) => ({ type: "language", name });

test("a language that is chosen is sent once a connection until it is known, and the newest holds", () => {
  const { made, told } = language();
  made.welcome("", "edit");
  assert.deepEqual([made.name, made.next(), told], ["", null, []]);
  made.choose("go");
  assert.deepEqual([made.name, made.next(), made.next()], ["go", sent("go"), null]);
  // The connection was lost before an answer came.
  made.welcome("", "edit");
  assert.deepEqual(made.next(), sent("go"));
  made.receive("go", "me");
  made.receive("rust", "ben");
  assert.deepEqual([made.name, made.next(), told], ["rust", null, ["go by me", "rust by ben"]]);
});

test("one who comes later takes the language that was chosen, and one who had chosen without a connection tells it", () => {
  const late = language();
  late.made.welcome("go", "edit");
  assert.deepEqual([late.made.name, late.made.next(), late.told], ["go", null, ["go by somebody"]]);
  late.made.choose("sql");
  late.made.welcome("rust", "edit");
  assert.deepEqual([late.made.name, late.made.next(), late.told.length], ["sql", sent("sql"), 1]);
});

test("a choice that holds already is not made again over later ones", () => {
  const { made, told } = language();
  made.welcome("go", "edit");
  made.choose("sql");
  made.welcome("sql", "edit");
  assert.deepEqual([made.name, made.next()], ["sql", null]);
  made.welcome("rust", "edit");
  assert.deepEqual([made.name, made.next(), told.at(-1)], ["rust", null, "rust by somebody"]);
});

test("a server that was started anew is told the language again, and an old one, or by a viewer, nothing", () => {
  const { made } = language();
  made.welcome("go", "edit");
  made.welcome("", "edit");
  assert.deepEqual(made.next(), sent("go"));
  const old = language().made;
  old.welcome(undefined, "edit");
  old.choose("go");
  assert.deepEqual([old.name, old.next()], ["go", null]);
  const viewer = language().made;
  viewer.welcome("", "view_only");
  viewer.choose("go");
  assert.deepEqual([viewer.name, viewer.next()], ["go", null]);
  viewer.receive("rust", "ben");
  assert.equal(viewer.name, "rust");
  const early = language().made;
  early.choose("go");
  assert.equal(early.next(), null);
  early.welcome("", "edit");
  assert.deepEqual(early.next(), sent("go"));
});

const ROOM = { left: 0, gutter: 40, right: 500 };
const row = (at, end) => ({ top: at * 24, bottom: at * 24 + 20, end });

test("a name stands behind its row, and beside another name there", () => {
  const first = people.placeName(60, 50, [row(3, 200)], ROOM, []);
  assert.deepEqual([first.row.top, first.left, first.width], [72, 208, 60]);
  const second = people.placeName(60, 50, [row(3, 200)], ROOM, [first]);
  assert.ok(second.left >= first.left + first.width);
});

test("where a row is full, a name stands behind the one above or below, as near to its caret as there is room", () => {
  const above = people.placeName(60, 300, [row(3, 900), row(2, 100), row(4, 0)], ROOM, []);
  assert.deepEqual([above.row.top, above.left], [48, 300]);
  const below = people.placeName(60, 480, [row(3, 900), row(2, 900), row(4, 0)], ROOM, []);
  assert.deepEqual([below.row.top, below.left], [96, 440]);
});

test("where all rows are full, a name is in the gutter, and two never stand at one place", () => {
  const rows = [row(3, 900), row(2, 900), row(4, 900)];
  const taken = [];
  for (let each = 0; each < 3; each++) {
    const box = people.placeName(60, 300, rows, ROOM, taken);
    assert.deepEqual([box.left, box.width], [0, 40]);
    taken.push(box);
  }
  assert.equal(new Set(taken.map((box) => box.row.top)).size, 3);
  assert.equal(people.placeName(60, 300, rows, ROOM, taken), null);
});

test("at random, no name covers text or another name", () => {
  let seed = Number(process.argv[2]) % 2_147_483_647 || 1;
  const random = (below) => (seed = (seed * 48_271) % 2_147_483_647) % below;
  for (let round = 0; round < 500; round++) {
    const all = Array.from({ length: 6 }, (_, at) => row(at, 40 + random(700)));
    const taken = [];
    for (let each = 0; each < 8; each++) {
      const at = random(6);
      const rows = [all[at], all[at - 1], all[at + 1]].filter(Boolean);
      const box = people.placeName(10 + random(200), 40 + random(460), rows, ROOM, taken);
      if (box === null) continue;
      assert.ok(box.left >= box.row.end || box.left + box.width <= ROOM.gutter, `covers text, seed ${seed}`);
      assert.ok(box.left + box.width <= ROOM.right);
      for (const other of taken)
        if (other.row === box.row)
          assert.ok(box.left >= other.left + other.width || other.left >= box.left + box.width, `seed ${seed}`);
      taken.push(box);
    }
  }
});
