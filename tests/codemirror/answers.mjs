// What the real CodeMirror makes of a question about change sets.
//
// A question is a plain object: its `kind`, and what that kind works on. `answer` returns it with the results
// added. record_vectors.mjs asks questions of its own, fuzz_peer.mjs those that it is sent.

import { collab, rebaseUpdates, receiveUpdates } from "@codemirror/collab";
import { ChangeSet, EditorState, MapMode, Text } from "@codemirror/state";

const MODES = {
  simple: MapMode.Simple,
  track_del: MapMode.TrackDel,
  track_before: MapMode.TrackBefore,
  track_after: MapMode.TrackAfter,
};

export const toText = (string) => Text.of(string.split("\n"));

const toUpdate = ({ sender, changes }) => ({ clientID: sender, changes: ChangeSet.fromJSON(changes) });
const applyAll = (text, sets) => sets.reduce((current, set) => set.apply(current), text);

const ANSWERS = {
  // doc, specs -> json, text
  of({ doc, specs }) {
    const set = ChangeSet.of(specs, doc.length);
    return { json: set.toJSON(), text: set.apply(toText(doc)).toString() };
  },

  // doc, a, b (both for doc) -> each over the other; the texts with a, or b, left at a tie, made in both orders
  pair({ doc, ...json }) {
    const [text, a, b] = [toText(doc), ChangeSet.fromJSON(json.a), ChangeSet.fromJSON(json.b)];
    const [aMapB, aMapBBefore, bMapA, bMapABefore] = [a.map(b), a.map(b, true), b.map(a), b.map(a, true)];
    return {
      a_map_b: aMapB.toJSON(),
      a_map_b_before: aMapBBefore.toJSON(),
      b_map_a: bMapA.toJSON(),
      b_map_a_before: bMapABefore.toJSON(),
      texts_a_left: [applyAll(text, [a, bMapA]).toString(), applyAll(text, [b, aMapBBefore]).toString()],
      texts_b_left: [applyAll(text, [b, aMapB]).toString(), applyAll(text, [a, bMapABefore]).toString()],
    };
  },

  // doc, a (for doc), b (for what a leaves) -> composed, text
  compose({ doc, ...json }) {
    const [a, b] = [ChangeSet.fromJSON(json.a), ChangeSet.fromJSON(json.b)];
    return { composed: a.compose(b).toJSON(), text: applyAll(toText(doc), [a, b]).toString() };
  },

  // doc, json -> inverted
  invert({ doc, json }) {
    return { inverted: ChangeSet.fromJSON(json).invert(toText(doc)).toJSON() };
  },

  // json -> length, and for each mode and side where each position from 0 to length goes, null if it is lost
  positions({ json }) {
    const set = ChangeSet.fromJSON(json);
    const mapped = {};
    for (const [name, mode] of Object.entries(MODES)) {
      for (const assoc of [-1, 1]) {
        mapped[`${name} ${assoc}`] = Array.from({ length: set.length + 1 }, (_, pos) => set.mapPos(pos, assoc, mode));
      }
    }
    return { length: set.length, mapped };
  },

  // json -> the changed ranges [fromA, toA, fromB, toB, text], those that touch as one or individually
  changes({ json }) {
    const set = ChangeSet.fromJSON(json);
    const ranges = (individual) => {
      const found = [];
      set.iterChanges((fromA, toA, fromB, toB, text) => found.push([fromA, toA, fromB, toB, text.toString()]), individual);
      return found;
    };
    return { joined: ranges(false), individual: ranges(true) };
  },

  // doc, push of sender, over (pushes, each a list of updates) -> rebased, with one call for each push; text
  rebase({ doc, push, sender, over }) {
    let updates = push.map((changes) => toUpdate({ sender, changes }));
    for (const other of over) updates = rebaseUpdates(updates, other.map(toUpdate));
    const rebased = updates.map((update) => update.changes);
    const committed = over.flat().map((update) => toUpdate(update).changes);
    return {
      rebased: rebased.map((set) => set.toJSON()),
      text: applyAll(toText(doc), [...committed, ...rebased]).toString(),
    };
  },

  // doc, unconfirmed updates of the editor "a", frames received (each a list of updates) -> the editor's text
  editor({ doc, unconfirmed, frames }) {
    let state = EditorState.create({ doc: toText(doc), extensions: [collab({ clientID: "a" })] });
    for (const json of unconfirmed) state = state.update({ changes: ChangeSet.fromJSON(json) }).state;
    for (const frame of frames) state = receiveUpdates(state, frame.map(toUpdate)).state;
    return { text: state.doc.toString() };
  },
};

export const answer = (question) => ({ ...question, ...ANSWERS[question.kind](question) });
