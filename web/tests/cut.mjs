// Pushes cut in parts: they fit the limits, split no surrogate pair, and do together what the whole does.
//
//   node cut.mjs SEED
//
// Exits 0 if that holds for random change sets and for some large ones, and if a replica pushes each of them, whoever
// made it; else 1 and says what is wrong.

import { build } from "esbuild";
import { mkdtemp, rm } from "node:fs/promises";
import { fileURLToPath, pathToFileURL } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const folder = await mkdtemp(`${here}/built-`);
await build({
  stdin: {
    contents: `export {cut, shed, fits} from "../client/parcel.ts"; export {Replica} from "../client/replica.ts";
      export {ChangeSet, EditorState, Text} from "@codemirror/state"`,
    resolveDir: here,
  },
  bundle: true,
  format: "esm",
  platform: "node",
  outfile: `${folder}/cut.mjs`,
});
const { cut, shed, fits, Replica, ChangeSet, EditorState, Text } = await import(
  pathToFileURL(`${folder}/cut.mjs`).href
);
await rm(folder, { recursive: true });

let state = Number(process.argv[2] ?? 1) >>> 0;
const below = (n) => Math.floor(((state = (state * 1664525 + 1013904223) >>> 0) / 4294967296) * n);

function demand(holds, reason) {
  if (holds) return;
  console.log(reason);
  process.exit(1);
}

const bytesOf = (changes) => new TextEncoder().encode(JSON.stringify(changes)).length;
const LONE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

function parts(changes, limits) {
  const all = [];
  for (let rest = changes; rest !== null;) {
    const [part, following] = cut(rest, limits);
    demand(!part.empty || rest.empty, "a part is empty");
    demand(bytesOf(part) <= limits.bytes, `a part of ${bytesOf(part)} bytes; the limit is ${limits.bytes}`);
    const sections = part.toJSON().length;
    demand(sections <= limits.sections, `a part of ${sections} sections; the limit is ${limits.sections}`);
    all.push(part);
    rest = following;
  }
  return all;
}

for (let round = 0; round < 300; round++) {
  const length = 200;
  const text = Text.of(["\u{1f600}".repeat(length / 2)]);
  const specs = [];
  for (let from = 0; from < length; from += 2 + 2 * below(20)) {
    const insert = ["", "a", "\n", "\u{1f600}\u{1f600}", '"\\\u0000', "字".repeat(below(60))][below(6)];
    const to = Math.min(length, from + 2 * below(3));
    if (specs.length === 0 || specs.at(-1).to <= from) specs.push({ from, to, insert });
  }
  const whole = ChangeSet.of(specs, length);
  const limits = { bytes: 150 + below(500), sections: 5 + below(20) };
  let now = text;
  for (const part of parts(whole, limits)) {
    now = part.apply(now);
    demand(!LONE.test(now.toString()), "a pair is split between two parts");
  }
  demand(now.eq(whole.apply(text)), "the parts do something else than the whole");
  const deleting = Array.from({ length: 50 }, (_, k) => ({ from: 4 * k, to: 4 * k + 2 }));
  const grown = whole.compose(ChangeSet.of(deleting, length).map(whole));
  const room = { bytes: 6000, sections: 45 + below(20) };
  const [part, left] = shed(grown, room);
  demand(fits(part, room), `a push of ${part.toJSON().length} sections after others made it larger`);
  const both = left === null ? part : part.compose(left);
  demand(both.apply(text).eq(grown.apply(text)), "what is left and the rest do something else than the whole");
  left?.iterChanges((_fromA, _toA, _fromB, _toB, { length }) => demand(length === 0, "something to insert is left"));
}

const LIMITS = {
  message_bytes: 1_048_576,
  text_units: 524_288,
  clients: 9,
  pushes_per_second: 50,
  history_updates: 4096,
  presence_ms: 100,
  push_updates: 1024,
  push_sections: 16_384,
};
const commas = ("a,".repeat(39) + "\n,").repeat(2000);
const large = {
  "400 000 CJK characters": ["", { from: 0, insert: "字".repeat(400_000) }],
  "500 000 characters in lines of five": ["", { from: 0, insert: "abcd\n".repeat(100_000) }],
  "80 000 places": [
    commas,
    Array.from({ length: 80_000 }, (_, k) => ({ from: 2 * k + 1, to: 2 * k + 2, insert: ";" })),
  ],
};
for (const [name, [text, changes]] of Object.entries(large)) {
  const editor = {
    state: EditorState.create({}),
    dispatch: (transactions) => transactions.forEach((each) => (editor.state = each.state)),
  };
  const replica = new Replica(editor, {
    onRefused: ({ reason }) => demand(false, `${name}: ${reason}`),
    onSelection: () => undefined,
  });
  const hello = { type: "welcome", id: "me", mode: "edit", epoch: "e", peers: [], limits: LIMITS, acked: 0 };
  replica.resume({ ...hello, version: 0, text });
  // As an undo comes: without filters. The page is closed, and opened again, with it unsaved.
  editor.dispatch([editor.state.update({ changes, filter: false })]);
  const expected = editor.state.doc;
  replica.restore(replica.draft());
  let version = 0;
  let committed = Text.of(text.split("\n"));
  replica.resume({ ...hello, version, text });
  for (let push = replica.nextPush(); push !== null; push = replica.nextPush()) {
    demand(bytesOf(push) <= LIMITS.message_bytes / 2 + 100, `${name}: a push of ${bytesOf(push)} bytes`);
    demand(push.updates[0].length <= LIMITS.push_sections / 2, `${name}: ${push.updates[0].length} sections`);
    committed = ChangeSet.fromJSON(push.updates[0]).apply(committed);
    const updates = push.updates.map((each) => ({ sender: "me", seq: push.seq, changes: each }));
    replica.receive({ type: "updates", version: ++version, updates });
  }
  demand(committed.eq(expected) && editor.state.doc.eq(expected), `${name}: another text was committed`);
  demand(replica.unconfirmed === 0, `${name}: ${replica.unconfirmed} edits are not confirmed`);
}
console.log("ok");
