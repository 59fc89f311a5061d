// A page of the browser client whose clock, timers and sockets are another process's.
//
//   node tests/window.mjs      in the page's folder of sources
//
// On each line of stdin: the time in milliseconds, the bytes that have not left by socket, and an event, which may be
// empty. On a line of stdout, for each: what the page does with sockets, when its next timer is due, and how it stands.

import { createInterface } from "node:readline";
import { Browser, Clock, load, rest, screen } from "./world.mjs";

const { Connection, EditorState, history, localDrafts, undo } = await load(
  `export {Connection} from "../client/connection.ts"; export {localDrafts} from "../client/drafts.ts";
  export {EditorState} from "@codemirror/state"; export {history, undo} from "@codemirror/commands"`,
);
const clock = new Clock();
const began = clock.now;
const browser = new Browser();
let window = browser.open();
let editor = screen(EditorState);
let connection = null;
let out = [];
let failed = null;
let sockets = [];

class Socket {
  static OPEN = 1;
  readyState = 0;
  bufferedAmount = 0;

  constructor(url) {
    this.key = sockets.push(this) - 1;
    out.push(["dial", this.key, String(url)]);
  }

  send(text) {
    this.bufferedAmount += Buffer.byteLength(text);
    out.push(["send", this.key, text]);
  }

  close() {
    this.readyState = 2;
    out.push(["close", this.key, ""]);
  }
}

const acts = {
  load(url) {
    window = browser.open(window);
    editor = screen(EditorState, [history()]);
    connection = new Connection(editor, url, {
      WebSocket: Socket,
      drafts: localDrafts(new URL(url).pathname),
      onRefused: ({ code, reason }) => (failed = `refused: ${code} ${reason}`),
    });
  },
  unload() {
    browser.fire("pagehide");
    browser.crash(window);
    clock.forgetTimers();
    connection = null;
  },
  insert(insert) {
    editor.change({ from: editor.state.doc.length, insert: editor.state.toText(insert) }, { userEvent: "input.paste" });
    connection.changed();
  },
  undo() {
    if (!undo({ state: editor.state, dispatch: (transaction) => editor.dispatch([transaction]) })) failed = "no undo";
    connection.changed();
  },
  fire(event) {
    browser.fire(event);
  },
  open(key) {
    sockets[key].readyState = 1;
    sockets[key].onopen?.();
  },
  message(key, _code, data) {
    sockets[key].onmessage({ data });
  },
  closed(key, code, reason) {
    sockets[key].readyState = 3;
    sockets[key].onclose({ code, reason });
  },
};

process.on("uncaughtException", (error) => (failed = error.stack));
for await (const line of createInterface({ input: process.stdin })) {
  const [now, buffered, [name, ...given]] = JSON.parse(line);
  for (const [key, bytes] of Object.entries(buffered)) sockets[key].bufferedAmount = bytes;
  if (name === "wake") clock.sleep(given[0]);
  await clock.pass(Math.max(0, began + now - clock.now));
  try {
    acts[name]?.(...given);
  } catch (error) {
    failed = error.stack;
  }
  await rest();
  const status = connection?.status ?? { state: "left", unsaved: 0, askedAt: null };
  const told = {
    out,
    next: clock.next === Infinity ? null : clock.next - began,
    state: status.state,
    unsaved: status.unsaved,
    certain: status.askedAt === null,
    length: editor.state.doc.length,
    text: name === "text" ? editor.text : null,
    failed,
  };
  out = [];
  process.stdout.write(`${JSON.stringify(told)}\n`);
}
