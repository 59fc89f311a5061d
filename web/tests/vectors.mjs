// The test vectors for authors of clients, answered by CodeMirror itself and by the browser client.
//
//   node tests/vectors.mjs      in the page's folder of sources

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { load, screen } from "./world.mjs";

const { ChangeSet, EditorState, Replica, Text, joiningAddress } = await load(
  `export {joiningAddress} from "../client/address.ts"; export {Replica} from "../client/replica.ts";
  export {ChangeSet, EditorState, Text} from "@codemirror/state"`,
);
const vectors = JSON.parse(await readFile(new URL("../../docs/pyshare.v1.vectors.json", import.meta.url), "utf8"));

const read = (json) => ChangeSet.fromJSON(json);
const applied = (text, ...sets) => sets.reduce((doc, set) => set.apply(doc), Text.of(text.split("\n"))).toString();

test("changes make of a text what CodeMirror makes of it", () => {
  for (const { name, text, changes, result } of vectors.applied)
    assert.equal(applied(text, read(changes)), result, name);
});

test("two change sets are composed as by CodeMirror", () => {
  for (const { name, text, first, second, composed } of vectors.composed) {
    assert.deepEqual(read(first).compose(read(second)).toJSON(), composed, name);
    assert.equal(applied(text, read(composed)), applied(text, read(first), read(second)), name);
  }
});

test("an edit is mapped over a committed one, and the other way round, as by CodeMirror", () => {
  for (const { name, text, committed, own, own_after, committed_after, result } of vectors.mapped) {
    assert.deepEqual(read(own).map(read(committed)).toJSON(), own_after, name);
    assert.deepEqual(read(committed).map(read(own), true).toJSON(), committed_after, name);
    assert.equal(applied(text, read(committed), read(own_after)), result, name);
    assert.equal(applied(text, read(own), read(committed_after)), result, name);
  }
});

test("a push is rebased over one push after the other", () => {
  for (const { name, text, own, pushes, own_after, result } of vectors.rebased) {
    let updates = own.map(read);
    for (const push of pushes.map((each) => each.map(read))) {
      let others = push.reduce((one, next) => one.compose(next));
      updates = updates.map((each) => {
        const moved = each.map(others);
        others = others.map(each, true);
        return moved;
      });
    }
    assert.deepEqual(
      updates.map((each) => each.toJSON()),
      own_after,
      name,
    );
    assert.equal(applied(text, ...pushes.flat().map(read), ...updates), result, name);
  }
});

for (const { name, steps } of vectors.plays) {
  test(`the browser client plays: ${name}`, () => {
    const editor = screen(EditorState);
    const replica = new Replica(editor, { onRefused() {}, onSelection() {} });
    let pushes = [];
    const frames = {
      welcome: (frame) => replica.resume(frame),
      updates: (frame) => replica.receive(frame),
      refused: (frame) => replica.refuse(frame),
      status() {},
    };
    const play = {
      receives: (frame) => frames[frame.type](frame),
      edits(changes) {
        editor.change(read(changes));
        replica.changed();
      },
      sends: (frame) => assert.deepEqual(pushes.shift(), frame),
      shows(text) {
        assert.deepEqual(pushes, [], "nothing else is sent");
        assert.equal(editor.text, text);
      },
      comes_back(query) {
        const { searchParams } = joiningAddress(new URL("ws://here/codespace/t/"), "s", "", replica.resumePoint);
        for (const each of ["session", "name", "progress"]) searchParams.delete(each);
        assert.deepEqual(Object.fromEntries(searchParams), query);
      },
    };
    for (const step of steps) {
      const [[what, value]] = Object.entries(step);
      play[what](value);
      if (what === "receives" || what === "edits") {
        for (let push = replica.nextPush(); push !== null; push = replica.nextPush()) pushes.push(push);
        pushes = JSON.parse(JSON.stringify(pushes));
      }
    }
  });
}
