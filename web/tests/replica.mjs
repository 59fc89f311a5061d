// One editor's text and the codespace's: nothing that is not the replica's stays where nobody may edit, nothing is sent
// twice after a crash, and no text is replaced by that of another life.
//
//   node tests/replica.mjs      in the page's folder of sources; exits 1 and says which sentence does not hold

import { demand, demandEqual, LIMITS, load, play, rest, screen, welcome } from "./world.mjs";

const { AnotherLife, ChangeSet, EditorState, Replica, history, mayComeBack, parseFrame, undo } = await load(
  `export {mayComeBack, parseFrame} from "../client/protocol.ts"; export {AnotherLife, Replica} from "../client/replica.ts"; export {ChangeSet, EditorState} from "@codemirror/state";
   export {history, undo} from "@codemirror/commands"`,
);

function open(extensions = []) {
  const refused = [];
  const editor = screen(EditorState, extensions);
  const replica = new Replica(editor, { onRefused: (refusal) => refused.push(refusal), onSelection: () => undefined });
  return { editor, replica, refused };
}

/** Return a replica that was closed in the middle of something, as it is when its page is opened again. */
function reopen(draft, extensions = []) {
  const next = open(extensions);
  next.replica.restore(JSON.parse(JSON.stringify(draft)));
  return next;
}

const insert = (text, from = 0) => ({ from, insert: text });
const own = (seq, changes) => ({ sender: "me", seq, changes });
const other = (seq, changes) => ({ sender: "other", seq, changes });
/** Commit a push: the updates as a server sends them. */
const committed = ({ seq, updates }) => updates.map((changes) => own(seq, changes));

/** Return a replica's screen once everything that it pushes is committed, one push after the other. */
function settle({ editor, replica }, text) {
  let { version } = replica;
  for (let push = replica.nextPush(); push !== null; push = replica.nextPush()) {
    replica.receive({ type: "updates", version: ++version, updates: committed(push) });
  }
  demandEqual([editor.text, replica.unconfirmed], [text, 0], "text in the end, and edits that are not confirmed");
}

await play({
  "a viewer's text changes by the codespace alone, whoever else changes it, and however"() {
    const { editor, replica } = open();
    replica.resume(welcome({ mode: "view_only", text: "pri" }));
    editor.change(insert("nt", 3));
    demandEqual(editor.text, "pri", "after a completion");
    editor.change(insert("nt", 3), { filter: false });
    editor.change(insert("X", 0), { filter: false });
    replica.changed();
    demandEqual(editor.text, "pri", "after two changes without filters");
    editor.change(insert("nt", 3), { filter: false });
    replica.receive({ type: "updates", version: 1, updates: [other(1, [3, [0, "!"]])] });
    demandEqual(replica.resumePoint, { epoch: "e", version: 1, tip: "other:1" }, "where it goes on");
    demandEqual([editor.text, replica.unconfirmed, replica.draft()], ["pri!", 0, null], "with one by another");
  },

  "undo does not change the text of one who may only look since the last connection"() {
    const { editor, replica } = open([history()]);
    replica.resume(welcome({ text: "a" }));
    editor.change(insert("b", 1));
    const push = replica.nextPush();
    replica.receive({ type: "updates", version: 1, updates: committed(push) });
    replica.resume(welcome({ mode: "view_only", version: 1, updates: [] }));
    undo({ state: editor.state, dispatch: (each) => editor.dispatch([each]) });
    replica.changed();
    demandEqual(editor.text, "ab", "text");
  },

  "after the end nothing changes any more, and what was not saved stays on the screen"() {
    const { editor, replica } = open([history()]);
    replica.resume(welcome({ text: "a" }));
    editor.change(insert("b", 1));
    replica.close();
    editor.change(insert("c", 2));
    editor.change(insert("c", 2), { filter: false });
    replica.changed();
    demandEqual([editor.text, replica.unconfirmed], ["ab", 1], "text, and edits that are not saved");
  },

  "one who may edit again types, and one who never could had nothing pushed"() {
    const { editor, replica } = open();
    editor.change(insert("before"));
    replica.resume(welcome({ mode: "view_only", text: "a" }));
    editor.change(insert("x"));
    replica.resume(welcome({ mode: "edit", updates: [] }));
    editor.change(insert("y"));
    settle({ editor, replica }, "ya");
  },

  "what was pushed and kept before the push is neither lost nor doubled by a crash"() {
    const first = open();
    first.replica.resume(welcome({ text: "base" }));
    first.editor.change(insert("A"));
    const push = first.replica.nextPush();
    const kept = first.replica.draft();
    for (const arrived of [false, true]) {
      const second = reopen(kept);
      demandEqual(second.editor.text, "Abase", "text before there is a connection");
      const updates = arrived ? committed(push) : [];
      second.replica.resume(welcome({ version: updates.length, updates, acked: updates.length }));
      settle(second, "Abase");
    }
  },

  "a draft from before the push is not pushed again once the log has it, nor what follows it"() {
    const first = open();
    first.replica.resume(welcome({ text: "base" }));
    first.editor.change(insert("A"));
    const kept = first.replica.draft();
    first.editor.change(insert("B", 1));
    first.editor.change({ from: 4, to: 6 });
    const push = first.replica.nextPush();
    for (const [text, typed] of [
      ["ABba", (editor) => editor],
      // Typed by the next page before it is connected.
      ["ABba!", (editor) => editor.change(insert("!", 5))],
    ]) {
      const second = reopen(kept);
      typed(second.editor);
      second.replica.resume(welcome({ version: 1, updates: committed(push), acked: 1 }));
      demandEqual(second.editor.text, text, "text");
      settle(second, text);
    }
  },

  "a draft from before the push is not pushed again where the log no longer reaches back"() {
    const first = open();
    first.replica.resume(welcome({ text: "one\ntwo\n" }));
    first.editor.change(insert("new\n", 4));
    const kept = first.replica.draft();
    const second = reopen(kept);
    second.replica.resume(welcome({ version: 9, text: "zero\none\nnew\ntwo\n", acked: 1 }));
    settle(second, "zero\none\nnew\ntwo\n");
  },

  "of a draft that went out in parts, the parts that the log has not are pushed"() {
    const small = { ...LIMITS, message_bytes: 1024 };
    const text = "abcdefgh".repeat(200);
    const first = open();
    first.replica.resume(welcome({ limits: small }));
    first.editor.change(insert(text));
    const kept = first.replica.draft();
    const push = first.replica.nextPush();
    const second = reopen(kept);
    second.replica.resume(welcome({ limits: small, version: 1, updates: committed(push), acked: 1 }));
    demandEqual(second.editor.text, text, "text");
    settle(second, text);
  },

  "an own number that an earlier page has used does not take what was typed for that push"() {
    const { editor, replica } = open();
    replica.resume(welcome({ text: "base" }));
    editor.change(insert("mine", 4));
    const push = replica.nextPush();
    demandEqual(push.seq, 1, "number");
    replica.receive({ type: "updates", version: 1, updates: [own(1, [[0, "earlier "], 4])] });
    demandEqual(editor.text, "earlier basemine", "text");
    const again = replica.nextPush();
    demandEqual(again?.seq, 2, "number of the push that is made again");
    replica.receive({ type: "updates", version: 2, updates: committed(again) });
    demandEqual([editor.text, replica.unconfirmed], ["earlier basemine", 0], "text in the end, and unconfirmed edits");
  },

  "a draft keeps a long text apart from what changes often"() {
    const { editor, replica } = open();
    replica.resume(welcome({ text: "x".repeat(100_000) }));
    const bases = new Set();
    let version = 0;
    let most = 0;
    for (let k = 0; k < 400; k++) {
      replica.receive({ type: "updates", version: ++version, updates: [other(k + 1, [100_000 + 2 * k, [0, "o"]])] });
      editor.change(insert("m", 100));
      const draft = replica.draft();
      bases.add(draft.base);
      most = Math.max(most, JSON.stringify({ ...draft, base: "" }).length);
      if (k % 100 === 7) demandEqual(reopen(draft).editor.text, editor.text, "text of a draft");
      replica.receive({ type: "updates", version: ++version, updates: committed(replica.nextPush()) });
    }
    demand(bases.size < 8, `the long text was written ${bases.size} times in 400 pushes`);
    demand(most < 32_768, `what is written with each push has ${most} characters`);
  },

  "what was typed without a connection is moved as one behind what others did meanwhile"() {
    const { editor, replica } = open();
    replica.resume(welcome({ text: "x".repeat(20_000) }));
    for (let k = 0; k < 1000; k++) editor.change(insert("y", 100 + k));
    const updates = Array.from({ length: 500 }, (_, k) => other(k + 1, [5000 + k, [0, "z"], 15_000]));
    const { map } = ChangeSet.prototype;
    let maps = 0;
    ChangeSet.prototype.map = function (...given) {
      maps++;
      return map.apply(this, given);
    };
    replica.resume(welcome({ version: 500, updates }));
    ChangeSet.prototype.map = map;
    demand(maps <= 2 * 500 + 10, `${maps} maps for 1000 edits and 500 updates`);
    demandEqual(replica.unconfirmed, 1000, "edits that are not confirmed");
  },

  "a codespace that has another life replaces no text, at whatever version and with whatever text"() {
    for (const change of [
      { version: 1, text: "x" },
      { version: 900, text: "all of it is new" },
      { version: 0, text: "" },
      { version: 7, text: "mine", before: ["d", "c"] },
    ]) {
      const { editor, replica } = open();
      replica.resume(welcome({ text: "mine", version: 5 }));
      try {
        replica.resume(welcome({ epoch: "f", before: [], ...change }));
        demand(false, `${JSON.stringify(change)} was taken`);
      } catch (error) {
        if (!(error instanceof AnotherLife)) throw error;
      }
      demandEqual(editor.text, "mine", "text");
    }
  },

  "a life that continues the known one is the same codespace"() {
    const { editor, replica } = open();
    replica.resume(welcome({ text: "mine", version: 5 }));
    editor.change(insert("!", 4));
    replica.resume(welcome({ epoch: "g", before: ["f", "e"], text: "mine, and more", version: 2 }));
    demandEqual(editor.text, "mine!, and more".replace("!, and more", ", and more!"), "text");
    demandEqual(replica.resumePoint, { epoch: "g", version: 2, tip: null }, "where it goes on");
  },

  "an empty text is given up for that of another life, and an older server is believed as before"() {
    const empty = open();
    empty.replica.resume(welcome());
    empty.replica.resume(welcome({ epoch: "f", before: [], text: "new", version: 3 }));
    demandEqual(empty.editor.text, "new", "text of one who had none");
    const old = open();
    old.replica.resume(welcome({ text: "mine" }));
    old.replica.resume(welcome({ epoch: "f", text: "theirs", version: 3 }));
    demandEqual(old.editor.text, "theirs", "text from a server that does not tell");
  },

  async "what is refused says so for that edit, with advice that fits"() {
    const { editor, replica, refused } = open();
    replica.resume(welcome({ limits: { ...LIMITS, text_units: 10 }, text: "123456789" }));
    editor.change(insert("long"));
    await rest();
    editor.change(insert("!"));
    const said = { too_much: "change one part of the text after the other", too_long: "delete something first" };
    for (const [code, advice] of Object.entries(said)) {
      const next = open();
      next.replica.resume(welcome({ text: "a,b" }));
      next.editor.change({ from: 1, to: 2, insert: ";" });
      const { seq } = next.replica.nextPush();
      next.replica.refuse({ type: "refused", seq, code, reason: "compose these updates" });
      const [{ reason, inserted }] = next.refused;
      demand(reason.includes(advice), `${code}: ${reason}`);
      demandEqual([inserted, next.editor.text], [";", "a,b"], "what was taken back, and the text");
    }
    demandEqual(refused.length, 1, "refusals");
    demand(refused[0].reason.includes("10 characters; insert less"), refused[0].reason);
    demandEqual([refused[0].inserted, editor.text], ["long", "!123456789"], "what was not taken, and the text");
  },

  "an edit that is refused takes no other with it"() {
    const { editor, replica, refused } = open();
    replica.resume(welcome({ text: "ab" }));
    editor.change(insert("-"));
    const first = replica.nextPush();
    for (const text of ["one ", "poison ", "two "]) editor.change(insert(text, editor.text.length));
    let version = 0;
    let text = "ab";
    let refusals = 0;
    for (let push = first; push !== null; push = replica.nextPush()) {
      if (JSON.stringify(push).includes("poison")) {
        refusals++;
        replica.refuse({ type: "refused", seq: push.seq, code: "invalid", reason: "no" });
        demand(replica.mustFetch, "the text is not fetched anew");
        replica.resume(welcome({ text, version, acked: push.seq - 1 }));
      } else {
        text = ChangeSet.fromJSON(push.updates[0])
          .apply(EditorState.create({ doc: text }).doc)
          .toString();
        replica.receive({ type: "updates", version: ++version, updates: committed(push) });
      }
    }
    demandEqual(
      [text, editor.text, replica.unconfirmed],
      ["-abone two ", "-abone two ", 0],
      "texts, and unconfirmed edits",
    );
    demandEqual([refusals, refused.map(({ inserted }) => inserted)], [2, ["poison "]], "refusals, and what is offered");
  },

  async "an edit that can never be sent is refused when it is made, be it an undo, and typing goes on"() {
    const { editor, replica, refused } = open([history()]);
    const told = async (changes) => {
      editor.change(changes, { filter: false });
      replica.changed();
      await rest();
    };
    replica.resume(welcome({ limits: { ...LIMITS, text_units: 10 }, text: "12345678" }));
    editor.change({ from: 0, to: 8 });
    settle({ editor, replica }, "");
    replica.receive({ type: "updates", version: 2, updates: [other(1, [[0, "others"]])] });
    undo({ state: editor.state, dispatch: (each) => editor.dispatch([each]) });
    editor.change(insert("upon it"));
    replica.changed();
    await rest();
    demandEqual(
      refused.map(({ code, inserted }) => [code, inserted]),
      [
        ["too_large", "12345678"],
        ["stray", "upon it"],
      ],
      "refusals",
    );
    demandEqual([editor.text, replica.unconfirmed], ["others", 0], "text, and unconfirmed edits");
    await told(insert("\ud83d"));
    await told(insert("\u{1f600}"));
    await told(insert("x", 1));
    await told({ from: 1, to: 3 });
    demandEqual(
      refused.slice(2).map(({ code }) => code),
      ["invalid", "invalid", "invalid"],
      "refusals of halves",
    );
    demandEqual(editor.text, "\u{1f600}others", "text");
    await told({ from: 0, to: 2 });
    replica.resume(welcome({ limits: { ...LIMITS, text_units: 3 }, version: 2, text: "others" }));
    editor.change({ from: 0, to: 2, insert: "OT" });
    demandEqual([refused.length, editor.text], [5, "OThers"], "what makes a text that is too long no longer");
  },

  async "half of a character is refused before there is a connection, too"() {
    const first = open();
    first.replica.resume(welcome({ text: "\u{1f600}" }));
    first.editor.change(insert("x"));
    const next = reopen(first.replica.draft());
    next.editor.change({ from: 1, to: 2 });
    await rest();
    demandEqual(
      [next.editor.text, next.refused.map(({ code }) => code)],
      ["x\u{1f600}", ["invalid"]],
      "text, and refusals",
    );
  },

  "what is too much for one push is sent in smaller parts until it is one change"() {
    const { editor, replica, refused } = open();
    const text = "a,".repeat(32);
    replica.resume(welcome({ text }));
    editor.change(Array.from({ length: 32 }, (_, k) => ({ from: 2 * k, to: 2 * k + 1, insert: "b" })));
    const sizes = [];
    let [version, now] = [0, EditorState.create({ doc: text }).doc];
    for (let push = replica.nextPush(); push !== null; push = replica.nextPush()) {
      const [changes] = push.updates;
      sizes.push(changes.length);
      if (changes.length > 12) {
        replica.refuse({ type: "refused", seq: push.seq, code: "too_much", reason: "send it in smaller parts" });
        replica.resume(welcome({ text: now.toString(), version }));
      } else {
        now = ChangeSet.fromJSON(changes).apply(now);
        replica.receive({ type: "updates", version: ++version, updates: committed(push) });
      }
    }
    demandEqual([now.toString(), editor.text], ["b,".repeat(32), "b,".repeat(32)], "texts");
    demandEqual([sizes[0], Math.max(...sizes), refused.length], [64, 64, 0], "sections, and refusals");
  },

  "a push is cut to half of the sections that the welcome says"() {
    for (const push_sections of [4, 20, 100]) {
      const next = open();
      next.replica.resume(welcome({ text: "a,".repeat(64), limits: { ...LIMITS, push_sections } }));
      next.editor.change(Array.from({ length: 64 }, (_, k) => ({ from: 2 * k, to: 2 * k + 1, insert: "b" })));
      let version = 0;
      for (let push = next.replica.nextPush(); push !== null; push = next.replica.nextPush()) {
        const { length } = push.updates[0];
        demand(length <= Math.max(push_sections / 2, 3), `${length} sections of ${push_sections}`);
        next.replica.receive({ type: "updates", version: ++version, updates: committed(push) });
      }
      demandEqual([next.editor.text, next.replica.unconfirmed], ["b,".repeat(64), 0], "text, and unconfirmed edits");
    }
  },

  "a push that others have made larger fits when it is sent again, and is made once"() {
    const limits = { ...LIMITS, push_sections: 20 };
    const typing = Array.from({ length: 24 }, (_, k) => ({ from: 4 * k + 2, insert: "x" }));
    for (const hasMore of [false, true]) {
      for (const arrives of ["not", "in the welcome", "later"]) {
        const { editor, replica, refused } = open();
        const begin = ".".repeat(100) + "tail".repeat(20);
        replica.resume(welcome({ limits, text: begin }));
        const more = hasMore ? Array.from({ length: 20 }, (_, k) => ({ from: 102 + 4 * k, insert: "y" })) : [];
        editor.change([{ from: 0, to: 100, insert: "NEW" }, ...more]);
        const first = replica.nextPush();
        const whole = ChangeSet.fromJSON(first.updates[0]);
        const theirs = ChangeSet.of(typing, begin.length);
        const log = [other(1, theirs.toJSON())];
        const late = own(first.seq, whole.map(theirs).toJSON());
        if (arrives === "in the welcome") log.push(late);
        replica.resume(welcome({ limits, version: log.length, updates: log, acked: log.length - 1 }));
        const again = replica.nextPush();
        if (arrives !== "in the welcome") demandEqual(again.seq, first.seq, "number");
        if (again) demand(again.updates[0].length <= 20, `${again.updates[0].length} sections`);
        let version = log.length;
        if (arrives === "later") replica.receive({ type: "updates", version: ++version, updates: [late] });
        else if (again) replica.receive({ type: "updates", version: ++version, updates: committed(again) });
        settle({ editor, replica }, `NEW${"x".repeat(24)}${(hasMore ? "tayil" : "tail").repeat(20)}`);
        demandEqual(refused, [], "refusals");
      }
    }
  },

  "deletions left to the next push are the same ones, and not any that look alike"() {
    for (const insert of ["", "b"]) {
      const { editor, replica, refused } = open();
      const begin = "a".repeat(40);
      replica.resume(welcome({ text: begin }));
      const changes = Array.from({ length: 20 }, (_, k) => ({ from: 2 * k, to: 2 * k + 1 }));
      changes[10].insert = insert;
      editor.change(changes);
      const first = replica.nextPush();
      const theirs = ChangeSet.of({ from: 7, insert: "x" }, begin.length);
      const late = own(first.seq, ChangeSet.fromJSON(first.updates[0]).map(theirs).toJSON());
      const limits = { ...LIMITS, push_sections: 12 };
      replica.resume(welcome({ limits, version: 1, updates: [other(1, theirs.toJSON())] }));
      demandEqual(replica.nextPush().seq, first.seq, "number");
      replica.receive({ type: "updates", version: 2, updates: [late] });
      settle({ editor, replica }, `aaax${"a".repeat(7)}${insert}${"a".repeat(10)}`);
      demandEqual(refused, [], "refusals");
    }
  },

  "a push that a server with smaller limits does not take is sent in parts"() {
    const { editor, replica } = open();
    replica.resume(welcome());
    editor.change(insert("x".repeat(3000)));
    replica.nextPush();
    replica.resume(welcome({ limits: { ...LIMITS, message_bytes: 2000 }, updates: [] }));
    const push = replica.nextPush();
    demand(JSON.stringify(push).length <= 2000, "it is as large as it was");
    replica.receive({ type: "updates", version: 1, updates: committed(push) });
    settle({ editor, replica }, "x".repeat(3000));
  },

  "a deletion under a number that an earlier page used for another one is made"() {
    for (const [theirs, between] of [
      [[[1], 3], "d"],
      [[2, [1], 1], "d"],
      [[1, [1], 1, [1]], ""],
    ]) {
      const { editor, replica } = open();
      replica.resume(welcome({ text: "abcd" }));
      editor.change({ from: 0, to: 3 });
      replica.nextPush();
      replica.receive({ type: "updates", version: 1, updates: [own(1, theirs)] });
      demandEqual(editor.text, between, "text");
      settle({ editor, replica }, between);
    }
  },

  "a mode that is not known is to look, and a state of the storage to wait"() {
    const frame = parseFrame(JSON.stringify(welcome({ mode: "host", peers: [{ id: "b", name: "B", mode: "host" }] })));
    demandEqual([frame.mode, frame.peers[0].mode], ["view_only", "view_only"], "modes of a welcome");
    demandEqual(parseFrame('{"type":"peer","id":"a","name":"A","mode":"host"}').mode, "view_only", "mode of a peer");
    demandEqual(parseFrame('{"type":"status","storage":"full"}').storage, "down", "state of the storage");
  },

  "a client comes back after each code that does not say that it is of no use"() {
    for (const code of [1001, 1002, 1005, 1006, 1008, 1011, 1012, 1013, 1014, 3000, 4408, 4429])
      demand(mayComeBack(code), `${code} is for good`);
    for (const code of [1000, 1003, 1007, 1009, 4400, 4401, 4403, 4404, 4410, 4999])
      demand(!mayComeBack(code), `${code} is not for good`);
  },
});
