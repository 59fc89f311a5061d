// Editors without a screen, kept connected by the client of this folder, against a running server.
//
//   node editors.mjs ws://127.0.0.1:8888 SEED [ROUNDS PAUSE_MS AWAY_MS]
//
// They type characters that are there once, emoji and line breaks, delete what is not counted, lose their connections,
// and have their pages loaded anew with what was unsaved, some of them after AWAY_MS. Exits 0 if in the end all show one
// text in which every counted character stands once, else 1 and says what is wrong.

import { build } from "esbuild";
import crypto from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import WebSocket from "ws";

const [, , address, seedText, roundsText, pauseText, awayText] = process.argv;
const EDITORS = 6;
const ROUNDS = Number(roundsText ?? 80);
const MOST_PAUSE_MS = Number(pauseText ?? 12);
const AWAY_MS = Number(awayText ?? 50);
const PATIENCE_MS = 30_000;
const FIRST_COUNTED = 0x4e00;
const COUNTED = /[\u4e00-\u9fff]/;
const LOW_SURROGATE = /[\udc00-\udfff]/;
const codespace = `${address}/codespace/tmp-${crypto.randomUUID()}/`;

const here = fileURLToPath(new URL(".", import.meta.url));
const folder = await mkdtemp(`${here}/built-`);
await build({
  stdin: {
    contents: `export {Connection} from "../client/connection.ts"; export {newSession} from "../client/drafts.ts";
      export {EditorState} from "@codemirror/state"`,
    resolveDir: here,
  },
  bundle: true,
  format: "esm",
  platform: "node",
  outfile: `${folder}/client.mjs`,
});
const { Connection, EditorState, newSession } = await import(pathToFileURL(`${folder}/client.mjs`).href);
await rm(folder, { recursive: true });

let state = Number(seedText) >>> 0;
const random = () => (state = (state * 1664525 + 1013904223) >>> 0) / 4294967296;
const below = (n) => Math.floor(random() * n);
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

function fail(reason) {
  console.log(reason);
  process.exit(1);
}

let typed = 0;

class Editor {
  constructor(name) {
    this.name = name;
    this.session = newSession();
    this.draft = null;
    this.sockets = new Set();
    this.open();
  }

  open() {
    this.state = EditorState.create();
    const { session, sockets } = this;
    // The sockets of this page, to cut them.
    class Socket extends WebSocket {
      constructor(...given) {
        super(...given);
        sockets.add(this);
        this.on("close", () => sockets.delete(this));
        this.on("error", () => {});
      }
    }
    const page = {
      get state() {
        return editor.state;
      },
      dispatch(transactions) {
        for (const each of transactions) {
          if (each.startState !== editor.state) fail("a transaction is for another state");
          editor.state = each.state;
        }
        // As an extension may that changes the text when others have: in the middle of what the client does.
        if (transactions.some((each) => each.docChanged) && random() < 0.1) editor.edit();
      },
    };
    const editor = this;
    this.connection = new Connection(page, codespace, {
      name: this.name,
      WebSocket: Socket,
      drafts: {
        take: async () => ({ session, draft: JSON.parse(this.draft) }),
        keep: (draft) => ((this.draft = JSON.stringify(draft)), true),
        release: () => {},
      },
      onRefused: ({ code, reason }) => fail(`${this.name} was refused: ${code} ${reason}`),
      onStatus: (status) => status.state === "closed" && !this.closing && fail(`${this.name}: ${status.ended.reason}`),
    });
  }

  cut() {
    for (const socket of this.sockets) socket.terminate();
  }

  /** Load the page anew, with a connection that is lost at once and comes back later. */
  async reload() {
    this.closing = true;
    this.cut();
    this.connection.close();
    this.closing = false;
    this.loading = true;
    await pause(random() * AWAY_MS);
    this.open();
    this.loading = false;
  }

  edit() {
    // As a browser does, nothing is typed where nothing can be.
    if (this.state.readOnly || this.loading || this.editing || !this.connection) return;
    this.editing = true;
    const text = this.state.doc.toString();
    let from = below(text.length + 1);
    if (LOW_SURROGATE.test(text[from] ?? "")) from--;
    let to = from;
    while (random() < 0.3 && to < text.length && to - from < 6 && !COUNTED.test(text[to])) to++;
    if (LOW_SURROGATE.test(text[to] ?? "")) to--;
    let insert = "";
    if (to === from)
      insert = String.fromCharCode(FIRST_COUNTED + typed++) + ["", "\u{1f600}", "\u{1f601}", "x\ny"][below(4)];
    this.state = this.state.update({
      changes: { from, to, insert: this.state.toText(insert) },
      selection: { anchor: from },
    }).state;
    this.connection.changed();
    this.editing = false;
  }

  get text() {
    return this.state.doc.toString();
  }

  get atRest() {
    return this.connection.status.state === "connected" && this.connection.status.unsaved === 0;
  }
}

const editors = Array.from({ length: EDITORS }, (_, index) => new Editor(`editor${index}`));

async function until(holds, reason) {
  const deadline = Date.now() + PATIENCE_MS;
  while (!holds()) {
    if (Date.now() > deadline) fail(reason());
    await pause(20);
  }
}

await until(
  () => editors.every((editor) => editor.atRest),
  () => "not everybody was welcomed",
);
const reloading = [];
for (let round = 0; round < ROUNDS; round++) {
  for (const editor of editors) {
    if (random() < 0.7) editor.edit();
    if (random() < 0.03) editor.cut();
    if (random() < 0.01 && !editor.loading) reloading.push(editor.reload());
  }
  await pause(below(MOST_PAUSE_MS));
}
await Promise.all(reloading);
const settled = () => editors.every((each) => each.atRest) && new Set(editors.map((each) => each.text)).size === 1;
await until(settled, () => {
  const all = editors.map(({ connection: { status }, text }) => `${status.state}/${status.unsaved}/${text.length}`);
  return `no common text: ${all.join(" ")}`;
});

for (let index = 0; index < typed; index++) {
  const times = editors[0].text.split(String.fromCharCode(FIRST_COUNTED + index)).length - 1;
  if (times !== 1) fail(`character ${index} of ${typed} stands ${times} times`);
}
console.log(`${typed} characters typed by ${EDITORS} editors stand once`);
process.exit(0);
