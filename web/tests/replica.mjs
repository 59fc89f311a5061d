// One editor's text and the codespace's: nothing that is not the replica's stays where nobody may edit, nothing is sent
// twice after a crash, and no text is replaced by that of another life.
//
//   node tests/replica.mjs      in the page's folder of sources; exits 1 and says which sentence does not hold

import { demand, demandEqual, LIMITS, load, play, rest, screen, welcome } from "./world.mjs";

const { AnotherLife, ChangeSet, EditorState, Replica, history, undo } = await load(
  `export {AnotherLife, Replica} from "../client/replica.ts"; export {ChangeSet, EditorState} from "@codemirror/state";
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
    demandEqual(replica.resumePoint, { epoch: "g", version: 2 }, "where it goes on");
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
});
