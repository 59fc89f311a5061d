// A world without a network and without waiting, for scenes of the client: a clock that passes when it is told to,
// sockets whose other end is the scene, and of a browser the memory, the locks and the events that the client uses.

import { build } from "esbuild";
import { mkdtemp, rm } from "node:fs/promises";
import { fileURLToPath, pathToFileURL } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));

/** Return the modules of the client that a scene needs; `contents` exports them from "../client/". */
export async function load(contents) {
  const folder = await mkdtemp(`${here}/built-`);
  await build({
    stdin: { contents, resolveDir: here },
    bundle: true,
    format: "esm",
    platform: "node",
    outfile: `${folder}/client.mjs`,
  });
  const modules = await import(pathToFileURL(`${folder}/client.mjs`).href);
  await rm(folder, { recursive: true });
  return modules;
}

/** The name of the scene that runs. */
let scene = "";

/** Run scenes one after the other: functions under sentences that hold. */
export async function play(scenes) {
  for (const [sentence, act] of Object.entries(scenes)) {
    scene = sentence;
    await act();
  }
  console.log("ok");
  process.exit(0);
}

export function demand(holds, reason) {
  if (holds) return;
  console.log(`not so: ${scene}: ${reason}`);
  process.exit(1);
}

export function demandEqual(actual, expected, about) {
  const [is, should] = [JSON.stringify(actual), JSON.stringify(expected)];
  demand(is === should, `${about}: ${is}, should be ${should}`);
}

const immediately = setImmediate;

/** Let everything happen that needs no time. */
export async function rest() {
  for (let turn = 0; turn < 10; turn++) await new Promise((done) => immediately(done));
}

/** The time in milliseconds, from a day of the year 2030 on. */
export class Clock {
  #now = 1_900_000_000_000;
  #timers = new Map();
  #last = 0;

  constructor() {
    Date.now = () => this.#now;
    globalThis.setTimeout = (act, ms = 0) => this.#add(act, ms, null);
    globalThis.setInterval = (act, ms) => this.#add(act, ms, ms);
    globalThis.clearTimeout = globalThis.clearInterval = (timer) => this.#timers.delete(timer);
  }

  #add(act, ms, every) {
    this.#timers.set(++this.#last, { at: this.#now + Math.max(0, ms), act, every });
    return this.#last;
  }

  get now() {
    return this.#now;
  }

  /** When the next timer is due; perhaps never. */
  get next() {
    return Math.min(...[...this.#timers.values()].map(({ at }) => at));
  }

  /** Let time pass, and have what is due done in order. */
  async pass(ms) {
    const end = this.#now + ms;
    for (;;) {
      await rest();
      const due = [...this.#timers].filter(([, { at }]) => at <= end).sort((a, b) => a[1].at - b[1].at)[0];
      if (due === undefined) break;
      const [timer, { at, act, every }] = due;
      this.#now = Math.max(this.#now, at);
      if (every === null) this.#timers.delete(timer);
      else this.#timers.set(timer, { at: at + every, act, every });
      act();
    }
    this.#now = end;
    await rest();
  }

  /** Have the machine sleep: time passes, and nothing is done. */
  sleep(ms) {
    this.#now += ms;
  }

  /** Have the machine sleep where timers do not notice: each waits as long afterwards as it would have. */
  suspend(ms) {
    this.#now += ms;
    for (const timer of this.#timers.values()) timer.at += ms;
  }

  /** End whatever a page would still do: it has crashed. */
  forgetTimers() {
    this.#timers.clear();
  }
}

/** Sockets whose other end is the scene, as `WebSocket` is. */
export class Socket {
  static OPEN = 1;
  /** All that were ever made, the newest last. */
  static all = [];
  static get last() {
    return Socket.all.at(-1);
  }

  bufferedAmount = 0;
  readyState = 0;
  sent = [];
  closed = false;

  constructor(url, protocol) {
    this.url = new URL(url);
    this.protocol = protocol;
    Socket.all.push(this);
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close() {
    this.closed = true;
    this.readyState = 3;
  }

  open() {
    this.readyState = 1;
    this.onopen?.();
    return this;
  }

  say(frame) {
    this.onmessage({ data: typeof frame === "string" ? frame : JSON.stringify(frame) });
    return this;
  }

  end(code, reason = "") {
    this.readyState = 3;
    this.onclose({ code, reason });
  }

  /** The frames of a type that were sent. */
  all(type) {
    return this.sent.filter((frame) => frame.type === type);
  }
}

/** Storage of a browser; `full` refuses what is new, as a full one does. */
class Memory {
  static #hidden = new WeakMap();

  static make() {
    const memory = Object.create(Memory.prototype);
    Memory.#hidden.set(memory, { full: false });
    return memory;
  }

  fill(full) {
    Memory.#hidden.get(this).full = full;
  }

  getItem(key) {
    return Object.hasOwn(this, key) ? this[key] : null;
  }

  setItem(key, value) {
    if (Memory.#hidden.get(this).full) throw new Error("QuotaExceededError");
    this[key] = String(value);
  }

  removeItem(key) {
    delete this[key];
  }
}

/** A browser with windows, one of which is looked at. */
export class Browser {
  local = Memory.make();
  #held = new Map();
  #listeners = new Map();
  #window = null;
  navigator = { onLine: true };

  constructor() {
    const listen = (name, act) => this.#listeners.set(name, (this.#listeners.get(name) ?? new Set()).add(act));
    const unlisten = (name, act) => this.#listeners.get(name)?.delete(act);
    globalThis.addEventListener = listen;
    globalThis.removeEventListener = unlisten;
    globalThis.document = {
      baseURI: "https://example.org/",
      visibilityState: "visible",
      addEventListener: listen,
      removeEventListener: unlisten,
    };
    globalThis.localStorage = this.local;
    Object.defineProperty(globalThis, "navigator", { value: this.navigator, configurable: true });
    this.navigator.locks = {
      request: (name, options, act) => this.#request(name, options, act),
      query: async () => ({ held: [...this.#held.keys()].map((name) => ({ name })) }),
    };
    this.open();
  }

  async #request(name, _options, act) {
    if (this.#held.has(name)) return act(null);
    this.#held.set(name, this.#window);
    await act({ name });
    this.#held.delete(name);
  }

  /** Open a window and look at it; given one that was closed, load it again. */
  open(window = { session: Memory.make() }) {
    this.#window = window;
    globalThis.sessionStorage = window.session;
    return window;
  }

  /** Let a window be gone without a last word, with its locks. */
  crash(window) {
    for (const [name, holder] of this.#held) if (holder === window) this.#held.delete(name);
    this.#listeners.clear();
  }

  fire(name) {
    for (const act of [...(this.#listeners.get(name) ?? [])]) act({ type: name });
  }
}

export const LIMITS = {
  message_bytes: 1_048_576,
  text_units: 524_288,
  clients: 9,
  pushes_per_second: 50,
  history_updates: 4096,
  presence_ms: 100,
  push_updates: 1024,
  push_sections: 16_384,
  alive_ms: 20_000,
};

/** Return a welcome with a text. */
export function welcome(changed = {}) {
  const { text = "", ...rest } = changed;
  const frame = {
    type: "welcome",
    id: "me",
    mode: "edit",
    epoch: "e",
    version: 0,
    acked: 0,
    peers: [],
    limits: LIMITS,
  };
  return { ...frame, ...(rest.updates ? {} : { text }), ...rest };
}

/** Return an editor without a screen. */
export function screen(EditorState, extensions = []) {
  return {
    state: EditorState.create({ extensions }),
    dispatch(transactions) {
      for (const each of transactions) this.state = each.state;
    },
    get text() {
      return this.state.doc.toString();
    },
    change(changes, more = {}) {
      this.dispatch([this.state.update({ changes, ...more })]);
    },
  };
}
