// Deadlines that move while anything moves, and the state that a page is told.
//
//   node tests/liveness.mjs      in the page's folder of sources; exits 1 and says which sentence does not hold

import { Browser, Clock, demand, demandEqual, LIMITS, load, play, rest, screen, Socket, welcome } from "./world.mjs";

const { Connection, EditorState } = await load(
  `export {Connection} from "../client/connection.ts"; export {EditorState} from "@codemirror/state"`,
);
const clock = new Clock();
let browser;

/** Open a codespace; the scene has the other end of `Socket.last`. */
async function dial(hooks = {}) {
  browser = new Browser();
  const editor = screen(EditorState);
  const connection = new Connection(editor, "/codespace/token/", { WebSocket: Socket, ...hooks });
  await rest();
  return { editor, connection };
}

/** Open a codespace, and be welcomed; `edit` types something, as a person does. */
async function join(limits = LIMITS) {
  const { editor, connection } = await dial();
  Socket.last.open().say(welcome({ limits }));
  const edit = (insert = "x") => (editor.change({ from: 0, insert }), connection.changed());
  return { editor, connection, edit, socket: Socket.last };
}

function pieces(frame, size) {
  const text = JSON.stringify(frame);
  const parts = Array.from({ length: Math.ceil(text.length / size) }, (_, k) => text.slice(k * size, (k + 1) * size));
  return parts.map((part, k) => (k < parts.length - 1 ? "+" : "=") + part);
}

await play({
  async "a welcome that still arrives is waited for, however long it takes"() {
    const { editor, connection } = await dial();
    const socket = Socket.last.open();
    demandEqual(socket.url.searchParams.get("progress"), "1", "progress in the query");
    for (const piece of pieces(welcome({ text: "字".repeat(1000) }), 100)) {
      await clock.pass(14_000);
      socket.say(piece);
    }
    demandEqual([Socket.last === socket, connection.status.state], [true, "connected"], "the connection");
    demandEqual(editor.text.length, 1000, "units of the text");
    connection.close();
  },

  async "a welcome of which nothing comes for fifteen seconds is given up, and one begun is too"() {
    for (const some of [false, true]) {
      const { connection } = await dial();
      if (some) Socket.last.open().say("+{");
      await clock.pass(14_900);
      demandEqual(connection.status.state, "connecting", "before");
      await clock.pass(200);
      demand(connection.status.retryAt !== null, "after 15 s it is not given up");
      connection.close();
    }
  },

  async "a message between the pieces of a frame is not understood"() {
    const { connection } = await dial();
    Socket.last.open().say("+{").say(welcome());
    demandEqual(connection.status.ended?.code, 4400, "code of the end");
  },

  async "a server that is silent for longer than it says is asked, and lost after ten seconds more"() {
    const { connection, socket } = await join();
    await clock.pass(24_900);
    demandEqual([socket.all("alive").length, connection.status.askedAt], [0, null], "asked before 25 s");
    await clock.pass(200);
    demandEqual(socket.all("alive"), [{ type: "alive" }], "questions after 25 s");
    demand(connection.status.askedAt !== null, "nobody is told that it is not certain");
    await clock.pass(9800);
    demandEqual(connection.status.state, "connected", "state within 10 s");
    await clock.pass(300);
    demandEqual(connection.status.state, "reconnecting", "state after 10 s");
    connection.close();
  },

  async "a server that says it is quiet for minutes is not asked, nor called silent, before they are over"() {
    const { connection, socket } = await join({ ...LIMITS, alive_ms: 120_000 });
    demandEqual(connection.status.silentAt, clock.now + 125_000, "time from which the server is silent");
    await clock.pass(124_900);
    demandEqual([socket.all("alive").length, connection.status.askedAt], [0, null], "asked before");
    await clock.pass(200);
    demandEqual(socket.all("alive").length, 1, "questions after");
    connection.close();
    const quiet = await join({ ...LIMITS, alive_ms: 0 });
    demandEqual(quiet.connection.status.silentAt, null, "silence of a server that gives no signs of life");
    quiet.connection.close();
  },

  async "signs of life keep a connection, and the page knows when it heard them"() {
    const { connection, socket } = await join();
    for (let k = 0; k < 20; k++) {
      await clock.pass(20_000);
      socket.say({ type: "alive", received: 0 });
      demandEqual([connection.status.heardAt, connection.status.askedAt], [clock.now, null], "heard, and asked");
    }
    demandEqual([connection.status.state, socket.all("alive").length], ["connected", 0], "state and questions");
    connection.close();
  },

  async "each piece of a frame is told as a word of the server"() {
    const told = [];
    const { connection } = await dial({ onStatus: ({ heardAt, askedAt }) => told.push([heardAt, askedAt]) });
    const socket = Socket.last.open().say(welcome());
    await clock.pass(26_000);
    demand(told.at(-1)[1] !== null, "no question is told");
    for (const piece of pieces({ type: "updates", version: 0, updates: [] }, 10).slice(0, 3)) {
      await clock.pass(8000);
      socket.say(piece);
      demandEqual(told.at(-1), [clock.now, null], "heard, and asked");
    }
    connection.close();
  },

  async "an answer makes certain again"() {
    const { connection, socket } = await join();
    await clock.pass(26_000);
    socket.say({ type: "alive", received: 9 });
    demandEqual(connection.status.askedAt, null, "asked");
    await clock.pass(24_000);
    demandEqual([connection.status.state, socket.all("alive").length], ["connected", 1], "state and questions");
    connection.close();
  },

  async "a server that knows nothing of signs of life is not asked"() {
    const { alive_ms: _, ...old } = LIMITS;
    for (const limits of [old, { ...LIMITS, alive_ms: 0 }]) {
      const { connection, socket } = await join(limits);
      browser.fire("online");
      await clock.pass(300_000);
      demandEqual([connection.status.state, socket.all("alive").length], ["connected", 0], "state and questions");
      connection.close();
    }
  },

  async "frames of types that are not known are passed over, before the welcome as well"() {
    const { connection, editor } = await dial();
    const socket = Socket.last.open().say({ type: "dance" });
    socket.say(welcome({ text: "a" })).say({ type: "dance", version: 7, text: 5 });
    demandEqual([connection.status.state, editor.text.toString()], ["connected", "a"], "state and text");
    connection.close();
  },

  async "a push without an answer is lost after ten seconds, and the page is told since when it waits"() {
    const { connection, socket, edit } = await join();
    const began = clock.now;
    edit();
    demandEqual([socket.all("push").length, connection.status.waitingSince], [1, began], "push, and waiting since");
    await clock.pass(9900);
    demandEqual(connection.status.state, "connected", "state before");
    await clock.pass(200);
    demandEqual([connection.status.state, connection.status.waitingSince], ["reconnecting", null], "state after");
    demandEqual(connection.status.unsaved, 1, "edits that are kept");
    connection.close();
  },

  async "a push that still leaves is waited for, and so is one that the server still receives"() {
    const { connection, socket, edit } = await join();
    socket.bufferedAmount = 400_000;
    edit("x".repeat(400_000));
    for (let left = 400_000; left > 0; left -= 20_000) {
      socket.bufferedAmount = left;
      await clock.pass(9000);
    }
    socket.bufferedAmount = 0;
    for (let received = 100_000; received < 400_000; received += 50_000) {
      await clock.pass(9000);
      socket.say({ type: "alive", received });
    }
    demandEqual([connection.status.state, Socket.last === socket], ["connected", true], "the connection");
    await clock.pass(10_100);
    demandEqual(connection.status.state, "reconnecting", "state when nothing moves any more");
    connection.close();
  },

  async "a push waits as long as the server cannot save, and its time begins when it can"() {
    const { connection, socket, edit } = await join();
    socket.say({ type: "status", storage: "down" });
    edit();
    for (let k = 0; k < 9; k++) {
      await clock.pass(20_000);
      socket.say({ type: "alive", received: 9 });
    }
    socket.say({ type: "status", storage: "ok" });
    await clock.pass(9900);
    demandEqual(connection.status.state, "connected", "state before");
    await clock.pass(200);
    demandEqual(connection.status.state, "reconnecting", "state after");
    connection.close();
  },

  async "when the network comes back or the page is seen again, a dead connection is found in five seconds"() {
    for (const event of ["online", "visibilitychange"]) {
      const { connection, socket } = await join();
      await clock.pass(3000);
      browser.fire(event);
      browser.fire(event);
      demandEqual([socket.all("alive").length, connection.status.askedAt], [1, clock.now], "questions");
      await clock.pass(4900);
      demandEqual(connection.status.state, "connected", "state before");
      await clock.pass(200);
      demandEqual(connection.status.state, "reconnecting", "state after");
      connection.close();
    }
  },

  async "a machine that slept asks before it believes in the connection, and before it gives it up"() {
    const { connection, socket } = await join();
    await clock.pass(1000);
    clock.sleep(600_000);
    await clock.pass(0);
    demandEqual([connection.status.state, socket.all("alive").length], ["connected", 1], "state and questions");
    demand(connection.status.askedAt !== null, "it looks certain after ten minutes of sleep");
    socket.say({ type: "alive", received: 0 });
    demandEqual([connection.status.state, connection.status.askedAt], ["connected", null], "after an answer");
    clock.sleep(600_000);
    await clock.pass(5100);
    demandEqual(connection.status.state, "reconnecting", "state without an answer");
    connection.close();
  },

  async "a machine whose timers stood still while it slept asks within five seconds, or when it has something to send"() {
    for (const edits of [false, true]) {
      const { connection, socket, edit } = await join();
      await clock.pass(1000);
      clock.suspend(600_000);
      if (edits) edit();
      else await clock.pass(5000);
      demandEqual([connection.status.state, socket.all("alive").length], ["connected", 1], "state and questions");
      await clock.pass(5100);
      demandEqual(connection.status.state, "reconnecting", "state without an answer");
      connection.close();
    }
  },

  async "a clock that is set back hides no dead connection"() {
    const { connection } = await join();
    await clock.pass(1000);
    clock.sleep(-3_600_000);
    await clock.pass(3_600_000);
    await clock.pass(3_600_000);
    demand(connection.status.state !== "connected", "the connection counts as alive after an hour of silence");
    connection.close();
  },

  async "no network is told at once, and so is its return"() {
    const { connection } = await join();
    browser.navigator.onLine = false;
    browser.fire("offline");
    demandEqual([connection.status.offline, connection.status.askedAt], [true, clock.now], "offline, and asked");
    await clock.pass(5100);
    demandEqual([connection.status.state, connection.status.offline], ["reconnecting", true], "after five seconds");
    browser.navigator.onLine = true;
    browser.fire("online");
    demandEqual([connection.status.offline, connection.status.retryAt], [false, null], "offline, and pause");
    connection.close();
  },

  async "an attempt that was begun without a network is given up soon after the network is back"() {
    const { connection } = await dial();
    browser.fire("online");
    await clock.pass(5100);
    demand(connection.status.retryAt !== null, "it still waits for the old attempt");
    connection.close();
  },
});
