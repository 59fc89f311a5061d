// Unsaved edits kept by the browser: under the codespace, before they are sent, and sent once, whichever window or link
// comes next; what cannot be sent shuts nobody out.
//
//   node tests/drafts.mjs      in the page's folder of sources; exits 1 and says which sentence does not hold

import { Browser, Clock, demand, demandEqual, LIMITS, load, play, rest, screen, Socket, welcome } from "./world.mjs";

const { ChangeSet, Connection, EditorState, localDrafts } = await load(
  `export {Connection} from "../client/connection.ts"; export {localDrafts} from "../client/drafts.ts";
   export {ChangeSet, EditorState} from "@codemirror/state"`,
);
const clock = new Clock();
/** The mark of the codespace, which every link to it leads to. */
const MARK = "5f".repeat(16);
const EDIT = "/codespace/edit/";
const keysOf = (browser, start) => Object.keys(browser.local).filter((key) => key.startsWith(start));

/** A server with one codespace, for the sockets of this world; `links` are its addresses with their modes. */
class Server {
  links = { [EDIT]: "edit" };
  log = [];
  version = 0;
  epoch = "e";
  limits = LIMITS;
  mark = MARK;
  isThere = true;
  /** Pushes that were answered: the bytes of each, as they were sent. */
  pushes = [];
  /** How a push is answered: `commit`, `crash` (committed, and no answer), or a function of socket and push. */
  answer = "commit";

  constructor(text = "") {
    this.begin = text;
    this.sockets = new Map();
  }

  get text() {
    return this.log.reduce((text, { changes }) => apply(changes, text), this.begin);
  }

  /** Let in all who have dialled since the last time, and answer what they have sent. */
  async serve() {
    for (let turn = 0; turn < 20; turn++) {
      await rest();
      for (const socket of Socket.all) {
        if (socket.closed || socket.readyState === 3) continue;
        if (!this.isThere) socket.end(1006);
        else if (!this.sockets.has(socket)) this.#welcome(socket);
        else this.#answer(socket);
      }
    }
  }

  #welcome(socket) {
    const query = socket.url.searchParams;
    const id = `id of ${query.get("session")}`;
    this.sockets.set(socket, { id, read: 0 });
    const mode = this.links[socket.url.pathname];
    if (mode === undefined) return socket.open().end(4401, "unknown token");
    const acked = Math.max(0, ...this.log.filter(({ sender }) => sender === id).map(({ seq }) => seq));
    const resumes = query.get("epoch") === this.epoch;
    const what = resumes ? { updates: this.log.slice(Number(query.get("version"))) } : { text: this.text };
    const before = { before: [] };
    const { limits, mark: codespace } = this;
    const frame = { id, mode, epoch: this.epoch, version: this.log.length, acked, limits, codespace };
    socket.open().say(welcome({ ...frame, ...before, ...what }));
  }

  #answer(socket) {
    const member = this.sockets.get(socket);
    for (; member.read < socket.sent.length; member.read++) {
      const frame = socket.sent[member.read];
      if (frame.type !== "push") continue;
      if (typeof this.answer === "function") this.answer(socket, frame);
      else this.#commit(member.id, frame);
      if (socket.readyState === 3) return;
    }
  }

  #commit(id, { seq, version, updates }) {
    if (this.log.some((update) => update.sender === id && update.seq === seq)) return;
    demandEqual(updates.length, 1, "change sets of a push");
    this.pushes.push(JSON.stringify(updates).length);
    let changes = ChangeSet.fromJSON(updates[0]);
    for (const since of this.log.slice(version)) changes = changes.map(ChangeSet.fromJSON(since.changes));
    this.log.push({ sender: id, seq, changes: changes.toJSON() });
    if (this.answer === "crash") return;
    const frame = { type: "updates", version: this.log.length, updates: this.log.slice(-1) };
    for (const socket of this.sockets.keys()) if (socket.readyState === 1) socket.say(frame);
  }
}

function apply(changes, text) {
  return ChangeSet.fromJSON(changes)
    .apply(EditorState.create({ doc: text }).doc)
    .toString();
}

/** Open a page of a codespace in a window. */
function page(browser, address = EDIT, window = undefined) {
  const here = browser.open(window);
  const editor = screen(EditorState);
  const refused = [];
  const connection = new Connection(editor, address, {
    WebSocket: Socket,
    drafts: localDrafts(address),
    onRefused: (refusal) => refused.push(refusal),
  });
  const edit = (changes) => (editor.change(changes), connection.changed());
  const type = (insert, from = editor.state.doc.length) => edit({ from, insert });
  const close = () => (browser.fire("pagehide"), crash());
  /** End without a last word, as a page does whose browser is killed. */
  const crash = () => {
    browser.crash(here);
    clock.forgetTimers();
    Socket.all.length = 0;
  };
  return { window: here, editor, connection, refused, edit, type, close, crash };
}

/** Type into windows that are opened, lose their server, and are closed; return the browser. */
async function leave(server, browser, address, ...texts) {
  const windows = [];
  for (const _ of texts) {
    windows.push(page(browser, address));
    await server.serve();
  }
  server.isThere = false;
  await server.serve();
  for (const [k, text] of texts.entries()) windows[k].type(text);
  await clock.pass(400);
  windows.at(-1).close();
  for (const window of windows) browser.crash(window.window);
  server.isThere = true;
}

await play({
  async "a crash after a push and before anything else neither loses nor doubles an edit"() {
    for (const answer of ["commit", "crash"]) {
      const [server, browser] = [new Server("base"), new Browser()];
      const first = page(browser);
      await server.serve();
      server.answer = answer;
      first.type("A");
      if (answer === "crash") await server.serve();
      // No timer has run since the push left.
      first.crash();
      server.answer = "commit";
      const second = page(browser, EDIT, first.window);
      await server.serve();
      demandEqual([server.text, second.editor.text], ["baseA", "baseA"], "the server's text and the page's");
      second.close();
    }
  },

  async "a draft that is older than its push, as where storage is full, doubles nothing"() {
    const [server, browser] = [new Server("base"), new Browser()];
    const first = page(browser);
    await server.serve();
    server.isThere = false;
    await server.serve();
    first.type("A");
    await clock.pass(400);
    browser.local.fill(true);
    server.isThere = true;
    await clock.pass(10_000);
    first.type("B");
    await server.serve();
    demandEqual([server.text, first.connection.status.kept], ["baseAB", false], "text, and whether all is kept");
    first.crash();
    browser.local.fill(false);
    const second = page(browser, EDIT, first.window);
    await server.serve();
    demandEqual([server.text, second.editor.text], ["baseAB", "baseAB"], "the server's text and the page's");
    second.close();
  },

  async "each push writes little, however long the text is"() {
    const [server, browser] = [new Server("x".repeat(300_000)), new Browser()];
    const { type, close } = page(browser);
    await server.serve();
    let written = 0;
    const { setItem } = Object.getPrototypeOf(browser.local);
    browser.local.setItem = (key, value) => ((written += value.length), setItem.call(browser.local, key, value));
    Object.defineProperty(browser.local, "setItem", { enumerable: false });
    for (let k = 0; k < 100; k++) {
      type("y", 7);
      await server.serve();
      await clock.pass(200);
    }
    demand(written < 700_000, `${written} characters were written for 100 letters`);
    await clock.pass(6000);
    demandEqual(keysOf(browser, "pyshare.base"), [], "texts that are kept while nothing is unsaved");
    close();
  },

  async "letters behind a large push in flight are kept at once, and each writes little"() {
    for (const isOffline of [false, true]) {
      const [server, browser] = [new Server("x".repeat(500_000)), new Browser()];
      server.limits = { ...LIMITS, text_units: 1_500_000 };
      const first = page(browser);
      await server.serve();
      server.answer = () => undefined;
      if (isOffline) server.isThere = false;
      await server.serve();
      const paste = "paste ".repeat(80_000);
      first.type(paste);
      let written = 0;
      let most = 0;
      const { setItem } = Object.getPrototypeOf(browser.local);
      Object.defineProperty(browser.local, "setItem", {
        configurable: true,
        value: (key, value) => {
          written += value.length;
          most = Math.max(most, value.length);
          setItem.call(browser.local, key, value);
        },
      });
      for (let k = 0; k < 50; k++) first.type("k");
      demand(written < 50 * 1000, `${written} characters were written for 50 letters, ${most} at once`);
      for (let k = 0; k < 450; k++) first.type("k");
      demand(written < 500 * 16_384, `${written} characters were written for 500 letters, ${most} at once`);
      delete browser.local.setItem;
      // No timer has run since the first letter.
      first.crash();
      server.isThere = true;
      server.answer = "commit";
      const second = page(browser, EDIT, first.window);
      await server.serve();
      const text = server.begin + paste + "k".repeat(500);
      demand(server.text === text && second.editor.text === text, `texts of ${server.text.length} units`);
      await clock.pass(6000);
      demandEqual(keysOf(browser, "pyshare.base"), [], "records that are left");
      second.close();
    }
  },

  async "what an extension types in the middle of an edit of others is kept for the text that it is made for"() {
    const [server, browser] = [new Server("base"), new Browser()];
    const first = page(browser);
    await server.serve();
    server.answer = () => undefined;
    first.type("A");
    const { editor, connection } = first;
    const dispatch = editor.dispatch.bind(editor);
    editor.dispatch = (transactions) => {
      dispatch(transactions);
      if (!editor.text.includes("other") || editor.text.includes("own")) return;
      dispatch([editor.state.update({ changes: { from: 0, insert: "own " } })]);
      connection.changed();
    };
    server.log.push({ sender: "other", seq: 1, changes: [4, [0, " other"]] });
    Socket.last.say({ type: "updates", version: 1, updates: server.log });
    const left = editor.text;
    for (const seconds of [0, 0.4]) {
      await clock.pass(1000 * seconds);
      const kept = JSON.parse(browser.local.getItem(keysOf(browser, "pyshare:")[0])).draft;
      demandEqual(
        kept.version === 1,
        kept.changes.length === 2,
        "whether it is of the new version, and has both edits",
      );
    }
    first.crash();
    server.answer = "commit";
    const second = page(browser, EDIT, first.window);
    await server.serve();
    demandEqual([server.text, second.editor.text], [left, left], "the server's text and the page's");
    second.close();
  },

  async "to move the cursor writes nothing"() {
    const [server, browser] = [new Server("base"), new Browser()];
    const { connection, type, close } = page(browser);
    await server.serve();
    server.answer = () => undefined;
    type("A");
    let writes = 0;
    Object.defineProperty(browser.local, "setItem", { configurable: true, value: () => writes++ });
    for (let k = 0; k < 9; k++) connection.changed();
    delete browser.local.setItem;
    demandEqual(writes, 0, "writes");
    close();
  },

  async "of closed windows all edits are sent when one is opened, in the order in which they were kept"() {
    const [server, browser] = [new Server("start\n"), new Browser()];
    await leave(server, browser, EDIT, "by the first\n", "by the second\n", "by the third\n");
    const next = page(browser);
    await server.serve();
    const lines = server.text.trimEnd().split("\n").sort();
    demandEqual(lines, ["by the first", "by the second", "by the third", "start"], "lines");
    demandEqual(next.editor.text, server.text, "text on the screen");
    await clock.pass(400);
    demandEqual(keysOf(browser, "pyshare:"), [], "drafts that are left");
    next.close();
  },

  async "a window that is open keeps its edits to itself"() {
    const [server, browser] = [new Server("start\n"), new Browser()];
    const one = page(browser);
    await server.serve();
    server.isThere = false;
    await server.serve();
    one.type("mine\n");
    await clock.pass(400);
    server.isThere = true;
    const before = Socket.all.length;
    const two = page(browser);
    await server.serve();
    demandEqual([server.text, Socket.all.length], ["start\nmine\n", before + 1], "text, and connections");
    two.close();
  },

  async "another link to the same codespace sends what was left with the first one"() {
    const [server, browser] = [new Server("start\n"), new Browser()];
    await leave(server, browser, EDIT, "kept\n");
    delete server.links[EDIT];
    server.links["/codespace/new/"] = "edit";
    const gone = page(browser);
    await server.serve();
    demandEqual([gone.editor.text, gone.connection.status.ended?.code], ["start\nkept\n", 4401], "the old link");
    gone.close();
    const next = page(browser, "/codespace/new/");
    await server.serve();
    demandEqual([server.text, next.editor.text], ["start\nkept\n", "start\nkept\n"], "texts");
    await clock.pass(400);
    demandEqual(keysOf(browser, "pyshare:"), [], "drafts that are left");
    next.close();
  },

  async "a link for viewing leaves unsaved edits to the link that may send them"() {
    const [server, browser] = [new Server("start\n"), new Browser()];
    server.links["/codespace/view/"] = "view_only";
    await leave(server, browser, EDIT, "kept\n");
    for (let visit = 0; visit < 2; visit++) {
      const viewer = page(browser, "/codespace/view/");
      await server.serve();
      demandEqual([viewer.editor.text, viewer.refused.length], ["start\n", 0], "what a viewer sees, and is told");
      viewer.close();
    }
    const next = page(browser);
    await server.serve();
    demandEqual(server.text, "start\nkept\n", "text");
    next.close();
  },

  async "a draft is on the screen before there is a server, at the address where it was made"() {
    const [server, browser] = [new Server("start\n"), new Browser()];
    await leave(server, browser, EDIT, "kept\n");
    server.isThere = false;
    const next = page(browser);
    await server.serve();
    demandEqual([next.editor.text, next.connection.status.unsaved], ["start\nkept\n", 1], "text without a server");
    server.isThere = true;
    await clock.pass(10_000);
    await server.serve();
    demandEqual(server.text, "start\nkept\n", "text with a server");
    next.close();
  },

  async "drafts of earlier versions, kept under the token, are found once"() {
    const [server, browser] = [new Server("start\n"), new Browser()];
    const draft = { epoch: "e", version: 0, base: "start\n", changes: [[6, [0, "old", ""]]], inFlight: null, seq: 0 };
    for (const session of ["a".repeat(22), "b".repeat(22)])
      browser.local.setItem(`pyshare:${EDIT}:${session}`, JSON.stringify({ draft, at: clock.now }));
    for (let visit = 0; visit < 2; visit++) {
      const next = page(browser);
      await server.serve();
      demandEqual(next.editor.text, "start\nold\nold\n", `text at visit ${visit}`);
      next.close();
    }
    await clock.pass(400);
    demandEqual(keysOf(browser, "pyshare:"), [], "drafts that are left");
  },

  async "a server that does not name its codespace has drafts kept under the address"() {
    const [server, browser] = [new Server("start\n"), new Browser()];
    server.mark = undefined;
    await leave(server, browser, EDIT, "one\n", "two\n");
    demandEqual(keysOf(browser, `pyshare:${EDIT}`).length, 2, "drafts");
    const next = page(browser);
    await server.serve();
    demandEqual(server.text.length, "start\none\ntwo\n".length, "units of the text");
    next.close();
  },

  async "a draft of three large pastes goes out in parts"() {
    const [server, browser] = [new Server(), new Browser()];
    const paste = "漢".repeat(169_000);
    await leave(server, browser, EDIT, paste);
    const next = page(browser);
    await rest();
    next.type(paste);
    next.type(paste);
    await server.serve();
    demandEqual(server.text.length, 3 * 169_000, "units of the text");
    demand(Math.max(...server.pushes) * 3 <= LIMITS.message_bytes * 1.5, `pushes of ${server.pushes} characters`);
    demandEqual(next.refused, [], "refusals");
    next.close();
  },

  async "what a server does not understand is not sent again: the codespace opens, and the text is offered until taken"() {
    const [server, browser] = [new Server("start\n"), new Browser()];
    await leave(server, browser, EDIT, "poison\n");
    server.answer = (socket) => socket.end(1009, "message too big");
    const first = page(browser);
    await server.serve();
    demandEqual(
      [first.editor.text, first.connection.status.ended?.code],
      ["start\npoison\n", 1009],
      "the first opening",
    );
    first.close();
    server.answer = "commit";
    for (let visit = 0; visit < 2; visit++) {
      const next = page(browser);
      await server.serve();
      demandEqual([next.connection.status.state, next.editor.text], ["connected", "start\n"], "the next opening");
      demandEqual(
        next.refused.map(({ code, inserted }) => [code, inserted]),
        [["set_aside", "poison\n"]],
        "what is offered",
      );
      if (visit === 1) next.refused[0].forget();
      next.close();
    }
    const last = page(browser);
    await server.serve();
    demandEqual(last.refused, [], "what is offered once it was taken");
    last.close();
  },

  async "edits that were refused are not sent again by the next page"() {
    const [server, browser] = [new Server("start\n"), new Browser()];
    await leave(server, browser, EDIT, "refused\n");
    server.answer = (socket, { seq }) => socket.say({ type: "refused", seq, code: "too_much", reason: "no" });
    const first = page(browser);
    await server.serve();
    demandEqual(
      first.refused.map(({ inserted }) => inserted),
      ["refused\n"],
      "what is offered",
    );
    first.crash();
    server.answer = "commit";
    const next = page(browser);
    await server.serve();
    demandEqual([server.text, next.editor.text], ["start\n", "start\n"], "texts");
    next.close();
  },

  async "edits behind many that are refused are saved in seconds"() {
    const [server, browser] = [new Server("start\n"), new Browser()];
    const first = page(browser);
    await server.serve();
    const commit = server.answer;
    server.answer = (socket, { seq }) => socket.say({ type: "refused", seq, code: "too_long", reason: "no" });
    for (let key = 0; key < 21; key++) first.type("x");
    await server.serve();
    const start = clock.now;
    while (first.refused.length < 21) {
      demand(clock.now - start < 20_000, `${first.refused.length} were refused in ${clock.now - start} ms`);
      await clock.pass(250);
      await server.serve();
    }
    server.answer = commit;
    first.type("y");
    await clock.pass(250);
    await server.serve();
    demandEqual(
      [server.text, first.editor.text, first.connection.status.unsaved],
      [`start\ny`, `start\ny`, 0],
      "texts",
    );
    first.close();
  },

  async "the text of an earlier life stays on the screen, and is offered where the next life is open"() {
    const [server, browser] = [new Server("hours of work\n"), new Browser()];
    await leave(server, browser, EDIT, "and more\n");
    server.epoch = "f";
    server.begin = "x";
    const first = page(browser);
    await server.serve();
    const text = "hours of work\nand more\n";
    demandEqual([first.editor.text, first.connection.status.ended?.code], [text, 4410], "at the first opening");
    first.close();
    const next = page(browser);
    await server.serve();
    demandEqual([next.editor.text, server.text], ["x", "x"], "at the next opening");
    demandEqual(
      next.refused.map(({ inserted }) => inserted),
      [text],
      "what is offered",
    );
    next.close();
  },

  async "a draft that cannot be read is offered as the text that is found in it, until taken, and shuts nobody out"() {
    const draft = (changed) => ({
      epoch: "e",
      version: 0,
      base: "start\n",
      inFlight: null,
      seq: 0,
      changes: [],
      ...changed,
    });
    const typed = [6, [0, 'new "text"', "and more"]];
    const whole = JSON.stringify({ draft: draft({ changes: [typed] }), at: clock.now });
    const records = {
      null: "",
      7: "",
      "{": "",
      '{"draft":{}}': "",
      '{"draft":{"changes":[]},"base":3,"at":1900000000000}': "",
      '{"draft":{"changes":[[6,[0,"of a lost text"]]]},"base":3,"at":1900000000000}': "of a lost text",
      '{"draft":{"changes":[{"record":7},[6,[0,"of a lost edit"]]]},"base":3,"at":1900000000000}': "of a lost edit",
      [whole.slice(0, whole.indexOf("and more") + 5)]: 'new "text"\nand m',
      [whole.slice(0, whole.indexOf('\\"text') + 1)]: "new",
      [whole.replace("[6,", "[60,")]: 'new "text"\nand more',
      [whole.replace('"version":0', '"version":"x"')]: 'new "text"\nand more',
      [whole.replace("[6,", "[null,")]: 'new "text"\nand more',
    };
    for (const [record, text] of Object.entries(records)) {
      const [server, browser] = [new Server("start\n"), new Browser()];
      for (const session of ["a".repeat(22), "b".repeat(22)])
        browser.local.setItem(`pyshare:${EDIT}:${session}`, record);
      for (let visit = 0; visit < 2; visit++) {
        const next = page(browser);
        await server.serve();
        await clock.pass(400);
        await server.serve();
        demandEqual([next.connection.status.state, next.editor.text], ["connected", "start\n"], record);
        const offered = next.refused.map(({ code, inserted }) => [code, inserted]);
        demandEqual(
          offered,
          [
            ["set_aside", text],
            ["set_aside", text],
          ].slice(0, 2 - visit),
          record,
        );
        demand(next.refused[0].reason.includes(text === "" ? "no text" : "this text"), next.refused[0].reason);
        next.refused[0].forget();
        next.close();
      }
      demandEqual(keysOf(browser, "pyshare:"), [], "drafts that are left");
    }
  },

  async "a draft of another store that does not fit is offered too"() {
    const [server, browser] = [new Server("start\n"), new Browser()];
    const draft = { epoch: "e", version: 0, base: "other", changes: [[6, [0, "kept"]]], inFlight: null, seq: 0 };
    const kept = [];
    const drafts = {
      take: async () => ({ session: "s".repeat(22), draft }),
      keep: (each) => kept.push(each) > 0,
      release: () => undefined,
    };
    const refused = [];
    const connection = new Connection(screen(EditorState), EDIT, {
      WebSocket: Socket,
      drafts,
      onRefused: (refusal) => refused.push(refusal),
    });
    await server.serve();
    demandEqual([connection.status.state, kept[0]], ["connected", null], "state, and what is kept");
    demandEqual(
      refused.map(({ code, inserted }) => [code, inserted]),
      [["set_aside", "kept"]],
      "what is offered",
    );
    connection.close();
    demand(browser !== null, "");
  },

  async "the text of a page that has crashed with everything saved is swept away by the next page"() {
    const [server, browser] = [new Server("secret\n"), new Browser()];
    const first = page(browser);
    await server.serve();
    first.type("x");
    await server.serve();
    await clock.pass(400);
    first.crash();
    demandEqual(keysOf(browser, "pyshare.base").length, 1, "texts after the crash");
    server.links["/codespace/other/"] = "edit";
    const next = page(browser, "/codespace/other/");
    await server.serve();
    demandEqual(keysOf(browser, "pyshare.base"), [], "texts");
    next.close();
  },
});
