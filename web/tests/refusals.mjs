// Editors whose server refuses some of what they push, and loses their connections: they end with one text, in which each
// letter stands once, or was deleted, or was given back; what is refused is not in it.
//
//   node tests/refusals.mjs SEED      in the page's folder of sources; exits 1 and says which sentence does not hold

import { demand, demandEqual, LIMITS, load, play, rest, screen, welcome } from "./world.mjs";

const { ChangeSet, EditorState, OutOfStep, Replica } = await load(
  `export {OutOfStep, Replica} from "../client/replica.ts"; export {ChangeSet, EditorState} from "@codemirror/state"`,
);
let state = Number(process.argv[2] ?? 1) >>> 0;
const below = (n) => Math.floor(((state = (state * 1664525 + 1013904223) >>> 0) / 4294967296) * n);

class Server {
  log = [];
  connections = new Set();

  constructor(limits, isPoison) {
    this.begin = "one\ntwo\n";
    this.doc = EditorState.create({ doc: this.begin }).doc;
    this.limits = limits;
    this.isPoison = isPoison;
  }

  welcome(id, known) {
    const own = this.log.filter(({ sender }) => sender === id).map(({ seq }) => seq);
    const frame = { id, acked: Math.max(0, ...own), version: this.log.length, limits: this.limits };
    return welcome(
      known ? { ...frame, updates: this.log.slice(known.version) } : { ...frame, text: this.doc.toString() },
    );
  }

  /** Commit a push. Return the code and reason with which it is refused, or null. */
  commit(sender, { seq, version, updates: [json] }) {
    const last = Math.max(0, ...this.log.filter((update) => update.sender === sender).map((update) => update.seq));
    if (seq === last) return null;
    if (seq < last) return "seq";
    if (this.isPoison(JSON.stringify(json))) return "invalid";
    if (json.length > 9) return "too_much";
    let changes = ChangeSet.fromJSON(json);
    for (const since of this.log.slice(version)) changes = changes.map(ChangeSet.fromJSON(since.changes));
    const doc = changes.apply(this.doc);
    if (doc.length > Math.max(this.limits.text_units, this.doc.length)) return "too_long";
    this.doc = doc;
    this.log.push({ sender, seq, changes: changes.toJSON() });
    const frame = { type: "updates", version: this.log.length, updates: this.log.slice(-1) };
    for (const { inbox } of this.connections) inbox.push(frame);
    return null;
  }
}

class Client {
  editor = screen(EditorState);
  connection = null;
  former = [];
  given = "";

  constructor(server, id) {
    this.server = server;
    this.id = id;
    const onRefused = ({ inserted }) => (this.given += inserted);
    this.replica = new Replica(this.editor, { onRefused, onSelection: () => undefined });
  }

  connect() {
    this.cut();
    this.connection = { inbox: [this.server.welcome(this.id, this.replica.resumePoint)], outbox: [] };
    this.server.connections.add(this.connection);
  }

  cut() {
    if (this.connection === null) return;
    this.server.connections.delete(this.connection);
    this.former.push(this.connection);
    this.connection = null;
  }

  receive(count) {
    for (; count > 0 && this.connection !== null && this.connection.inbox.length > 0; count--) {
      const frame = this.connection.inbox.shift();
      try {
        if (frame.type === "welcome") this.replica.resume(frame);
        else if (frame.type === "refused") this.replica.refuse(frame);
        else this.replica.receive(frame);
      } catch (error) {
        if (!(error instanceof OutOfStep)) throw error;
        this.cut();
      }
      if (this.replica.mustFetch) this.cut();
    }
  }

  push() {
    if (this.connection === null || this.replica.id === "" || this.connection.inbox[0]?.type === "welcome") return;
    const push = this.replica.nextPush();
    if (push !== null) this.connection.outbox.push(push);
  }

  arrive(connection = this.connection) {
    const push = connection?.outbox.shift();
    if (push === undefined) return;
    const code = this.server.commit(this.id, push);
    if (code !== null) connection.inbox.push({ type: "refused", seq: push.seq, code, reason: "no" });
  }
}

async function live(limits) {
  const typed = [];
  const deleted = new Set();
  const isPoison = (json) => typed.some((letter, index) => index % 5 === 0 && json.includes(letter));
  const server = new Server(limits, isPoison);
  const clients = ["alice", "bob", "carol"].map((name) => new Client(server, name));
  for (const client of clients) {
    client.connect();
    client.receive(1);
  }
  for (let step = below(250); step > 0; step--) {
    const client = clients[below(3)];
    const { editor } = client;
    const at = below(editor.text.length + 1);
    const action = below(9);
    if (action < 2) {
      const letter = String.fromCharCode(0x4e00 + typed.length);
      const before = editor.text;
      editor.change({ from: at, insert: action === 0 ? letter : `${letter}\n` });
      if (editor.text !== before) typed.push(letter);
      else typed.push("-");
    } else if (action === 2) {
      const to = Math.min(editor.text.length, at + 1 + below(4));
      for (const letter of editor.text.slice(at, to)) deleted.add(letter);
      editor.change({ from: at, to });
    } else if (action === 3) client.receive(1 + below(4));
    else if (action === 4) client.push();
    else if (action === 5) client.arrive();
    else if (action === 6) client.connect();
    else if (action === 7) client.cut();
    else for (const connection of client.former) client.arrive(connection);
    if (client.connection === null && below(4) === 0) client.connect();
  }
  for (const client of clients) client.former.length = 0;
  for (let isMoving = true; isMoving;) {
    isMoving = false;
    for (const client of clients) {
      if (client.connection === null) client.connect();
      client.receive(Infinity);
      client.push();
      client.arrive();
      isMoving ||= client.connection === null || client.connection.inbox.length > 0 || client.replica.unconfirmed > 0;
    }
  }
  await rest();
  const text = server.doc.toString();
  const given = clients.map((client) => client.given).join("");
  for (const { editor, replica } of clients) demandEqual([editor.text, replica.unconfirmed], [text, 0], "a screen");
  typed.forEach((letter, index) => {
    if (letter === "-") return;
    demand(text.split(letter).length <= 2, `${letter} stands there twice`);
    demand(text.includes(letter) || deleted.has(letter) || given.includes(letter), `${letter} is nowhere`);
    demand(index % 5 > 0 || !text.includes(letter), `${letter} was refused, and stands there`);
  });
}

const scenes = {};
for (const push_sections of [6, 12, 1000]) {
  for (const text_units of [40, 4000]) {
    scenes[`of editors with ${push_sections} sections and ${text_units} units each edit is there, or was given back`] =
      async () => {
        for (let life = 0; life < 60; life++) await live({ ...LIMITS, push_sections, text_units });
      };
  }
}
await play(scenes);
