// Editors without a screen, kept connected by the client of this folder, driven as chaos_people.mjs says.
//
//   node chaos.mjs '{"url": "ws://...", "seed": 1, "pauseMs": 200, "deletes": true, "people": [{"name": "a", "letters": "..."}]}'

import { build } from "esbuild";
import { mkdtemp, rm } from "node:fs/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import WebSocket from "ws";
import { given, serve } from "../../tests/codemirror/chaos_people.mjs";

const { url, pauseMs, typists } = given(process.argv[2]);

const here = fileURLToPath(new URL(".", import.meta.url));
const folder = await mkdtemp(`${here}/built-`);
await build({
  stdin: {
    contents: `export {Connection} from "../client/connection.ts"; export {EditorState} from "@codemirror/state"`,
    resolveDir: here,
  },
  bundle: true,
  format: "esm",
  platform: "node",
  outfile: `${folder}/client.mjs`,
});
const { Connection, EditorState } = await import(pathToFileURL(`${folder}/client.mjs`).href);
await rm(folder, { recursive: true });

// A connection that is refused is an event that somebody has to hear, or Node ends.
class Socket extends WebSocket {
  constructor(...given) {
    super(...given);
    this.on("error", () => {});
  }
}

class Editor {
  constructor(typist) {
    this.typist = typist;
    this.state = EditorState.create();
    const editor = this;
    const page = {
      get state() {
        return editor.state;
      },
      dispatch(transactions) {
        for (const each of transactions) editor.state = each.state;
      },
    };
    this.connection = new Connection(page, url, {
      name: typist.name,
      WebSocket: Socket,
      onRefused: ({ inserted }) => typist.tell(inserted),
      onStatus: (status) => {
        if (status.state === "closed") throw new Error(`${typist.name}: ${status.ended.code} ${status.ended.reason}`);
      },
    });
  }

  edit({ from, to, insert }) {
    this.state = this.state.update({ changes: { from, to, insert: this.state.toText(insert) } }).state;
    this.connection.changed();
  }

  get ready() {
    return !this.state.readOnly;
  }

  get text() {
    return this.state.doc.toString();
  }

  get atRest() {
    return this.connection.status.state === "connected" && this.connection.status.unsaved === 0;
  }
}

serve(
  typists.map((typist) => new Editor(typist)),
  pauseMs,
);
