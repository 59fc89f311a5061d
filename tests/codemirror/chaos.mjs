// Editors made of the real @codemirror/collab, each with a WebSocket, driven as chaos_people.mjs says.
//
//   node chaos.mjs '{"url": "ws://...", "seed": 1, "pauseMs": 200, "deletes": true, "people": [{"name": "a", "letters": "..."}]}'
//
// An editor that is sent a whole text drops what it has not pushed, since @codemirror/collab has no merge, and says so.

import crypto from "node:crypto";
import WebSocket from "ws";
import { ChangeSet, EditorState, Text } from "@codemirror/state";
import {
  collab,
  getSyncedVersion,
  receiveUpdates,
  sendableUpdates,
} from "@codemirror/collab";
import { given, serve } from "./chaos_people.mjs";

const { url, pauseMs, typists } = given(process.argv[2]);
const SILENCE_MS = 8000;

class Editor {
  constructor(typist) {
    this.typist = typist;
    this.session = crypto.randomBytes(16).toString("base64url");
    this.seq = 0;
    this.inFlight = null;
    this.state = null;
    this.connect();
  }

  connect() {
    let query = `session=${this.session}&name=${this.typist.name}`;
    if (this.state)
      query += `&epoch=${this.epoch}&version=${getSyncedVersion(this.state)}`;
    const socket = (this.socket = new WebSocket(
      `${url}?${query}`,
      "pyshare.v1",
      { handshakeTimeout: 5000 },
    ));
    this.welcomed = false;
    // A connection that is dead tells nobody.
    const watch = setInterval(() => {
      if (Date.now() - heard > SILENCE_MS) socket.terminate();
      else if (socket.readyState === WebSocket.OPEN) socket.ping();
    }, 1000);
    let heard = Date.now();
    socket.on("pong", () => (heard = Date.now()));
    socket.on("message", (data) => {
      heard = Date.now();
      if (socket === this.socket) this.receive(JSON.parse(data.toString()));
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      clearInterval(watch);
      this.welcomed = false;
      setTimeout(() => this.connect(), 50 + 300 * this.typist.random());
    });
  }

  receive(frame) {
    if (frame.type === "welcome") this.resume(frame);
    else if (frame.type === "updates") this.take(frame);
    else if (frame.type === "refused") this.refused();
    this.push();
  }

  resume(welcome) {
    this.inFlight = null;
    this.seq = Math.max(this.seq, welcome.acked);
    if (welcome.updates) this.take(welcome);
    else {
      if (this.state) this.drop();
      this.state = EditorState.create({
        doc: Text.of(welcome.text.split("\n")),
        extensions: [
          collab({ startVersion: welcome.version, clientID: welcome.id }),
        ],
      });
    }
    this.epoch = welcome.epoch;
    this.id = welcome.id;
    this.welcomed = true;
  }

  /** Say which letters are not known to be committed, and will not be pushed again. */
  drop() {
    for (const { changes } of sendableUpdates(this.state))
      changes.iterChanges((_fromA, _toA, _fromB, _toB, inserted) =>
        this.typist.tell(inserted.toString()),
      );
  }

  refused() {
    this.drop();
    this.state = null;
    this.socket.terminate();
  }

  take({ updates, version }) {
    const received = updates.map((update) => ({
      changes: ChangeSet.fromJSON(update.changes),
      clientID: update.sender,
    }));
    this.state = receiveUpdates(this.state, received).state;
    if (getSyncedVersion(this.state) !== version)
      throw new Error(`${this.typist.name} is at another version than told`);
    if (
      updates.some(
        (update) => update.sender === this.id && update.seq === this.inFlight,
      )
    )
      this.inFlight = null;
  }

  push() {
    if (!this.welcomed || this.inFlight || this.unconfirmed === 0) return;
    this.inFlight = ++this.seq;
    const updates = sendableUpdates(this.state).map((update) =>
      update.changes.toJSON(),
    );
    this.socket.send(
      JSON.stringify({
        type: "push",
        seq: this.seq,
        version: getSyncedVersion(this.state),
        updates,
      }),
    );
  }

  edit(changes) {
    this.state = this.state.update({ changes }).state;
    this.push();
  }

  get ready() {
    return this.state !== null;
  }

  get text() {
    return this.state?.doc.toString() ?? "";
  }

  get unconfirmed() {
    return this.state ? sendableUpdates(this.state).length : 0;
  }

  get atRest() {
    return this.welcomed && this.unconfirmed === 0;
  }
}

serve(
  typists.map((typist) => new Editor(typist)),
  pauseMs,
);
