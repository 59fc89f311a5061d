/**
 * One editor's text, and what is known of the codespace: what is committed, and what was typed since.
 *
 * Unconfirmed edits are a chain of change sets, from the committed text to the one on the screen: the push in flight,
 * what did not fit it, and what was typed since. They are rebased push by push, as @codemirror/collab does, and kept
 * short by composing. A push in flight is sent again after a lost connection. No socket, no clock. Whatever the server
 * does, no edit is lost in silence: it is unconfirmed, or committed, or handed to `onRefused`.
 */

import {
  Annotation,
  ChangeSet,
  Compartment,
  EditorState,
  StateEffect,
  StateField,
  Text,
  Transaction,
  type TransactionSpec,
} from "@codemirror/state";

import { byPush, composed, cut, difference, insertedBy } from "./changes.js";
import {
  SELECTION_RANGES,
  type CommittedUpdate,
  type Limits,
  type Mode,
  type PushFrame,
  type RefusedFrame,
  type SelectedRange,
  type SelectFrame,
  type UpdatesFrame,
  type Welcome,
} from "./protocol.js";

/** What a replica needs of an editor; an `EditorView` is one. */
export interface Editor {
  readonly state: EditorState;
  dispatch(transactions: readonly Transaction[]): void;
}

/** Unsaved edits in a form that can be stored; `Replica.restore` takes them up again. */
export interface Draft {
  readonly epoch: string;
  readonly version: number;
  /** The committed text as of `version`. */
  readonly base: string;
  /** Edits on top of it, as `ChangeSet.toJSON()`; the first `inFlight.count` of them are that push. */
  readonly changes: readonly unknown[];
  readonly inFlight: { readonly seq: number; readonly count: number } | null;
  /** Number of the last push. */
  readonly seq: number;
}

/** Edits that a server has refused, and that are taken back. */
export interface Refusal {
  /** As the protocol has it; `too_large` if the server was not asked. */
  readonly code: string;
  readonly reason: string;
  /** What the edits had inserted. */
  readonly inserted: string;
}

/** What a replica tells of itself, in the middle of what it does: do not change the editor from there. */
export interface ReplicaHooks {
  /** Edits are taken back. */
  onRefused(refusal: Refusal): void;
  /** Peers' selections in the text on the screen. */
  onSelection(id: string, ranges: readonly SelectedRange[]): void;
}

/** What the server sent does not follow what the replica has: connect again, from its `resumePoint`. */
export class OutOfStep extends Error {}

/** The codespace is another one, and empty: the text that was in it is on this screen, and perhaps nowhere else. */
export class MadeAnew extends Error {}

/** The transactions that this module makes; all others are the user's. */
const byReplica = Annotation.define<boolean>();

/** Of the limits of a push, what one may take when it is made; one that is rebased can grow a little. */
const PUSH_SHARE = 2;

/** Sections of a push for servers that do not say. */
const PUSH_SECTIONS = 16_384;

/** Change sets of what was typed that are kept before they are composed. */
const TYPED_SETS = 64;

/** What was typed and has not gone into a push: change sets, each after the one before, and the edits in them. */
interface Typed {
  readonly sets: readonly ChangeSet[];
  readonly edits: number;
}

const NOTHING: Typed = { sets: [], edits: 0 };

/** Something of what was typed was taken, moved or put back. */
const setTyped = StateEffect.define<Typed>();

const typed = StateField.define<Typed>({
  create: () => NOTHING,
  update(before, transaction) {
    for (const effect of transaction.effects) if (effect.is(setTyped)) return effect.value;
    if (!transaction.docChanged || transaction.annotation(byReplica)) return before;
    const sets = [...before.sets, transaction.changes];
    const short = sets.length > TYPED_SETS ? [composed(sets, 0)] : sets;
    return { sets: short, edits: before.edits + 1 };
  },
});

/** The one push whose fate is not known. */
interface InFlight {
  readonly seq: number;
  readonly changes: ChangeSet;
  /** Edits that are confirmed with it. */
  readonly edits: number;
  readonly sent: boolean;
}

/** Refusals that say nothing of the edits: with the newest text under them they may be pushed again. */
const STALE: ReadonlySet<string> = new Set(["too_old", "too_new", "seq", "in_flight"]);

export class Replica {
  readonly #editor: Editor;
  readonly #hooks: ReplicaHooks;
  /** Whether the editor is read-only. */
  readonly #access = new Compartment();
  /** Text and version of what is committed; no version before the first welcome. */
  #committed: Text = Text.empty;
  #version: number | null = null;
  #epoch = "";
  #inFlight: InFlight | null = null;
  /** What did not fit the push in flight and follows it, and the edits that are confirmed with the last of it. */
  #rest: ChangeSet | null = null;
  #restEdits = 0;
  /** Number of the last push. */
  #seq = 0;
  /** Whether only a whole text helps. */
  #mustFetch = false;
  /**
   * Whether something of the server's is being taken. What listens to the editor may change it in the middle of that,
   * when the text on the screen and what is known of the log do not fit one another yet: nothing is sent then.
   */
  #taking = false;
  /** What the last welcome said. */
  #id = "";
  #mode: Mode = "view_only";
  #limits: Limits | null = null;
  /** Whether the selection is to be sent, and whether it was sent when unconfirmed edits hid where it really is. */
  #selectDue = true;
  #selectRough = false;

  /** The editor cannot be typed into until there is a text to type into. */
  constructor(editor: Editor, hooks: ReplicaHooks) {
    this.#editor = editor;
    this.#hooks = hooks;
    this.#dispatch({
      effects: StateEffect.appendConfig.of([
        typed,
        this.#access.of(EditorState.readOnly.of(true)),
        EditorState.transactionFilter.of((transaction) => (this.#allows(transaction) ? transaction : [])),
      ]),
    });
  }

  /** This client's public id; empty before the first welcome. */
  get id(): string {
    return this.#id;
  }

  get mode(): Mode {
    return this.#mode;
  }

  get limits(): Limits | null {
    return this.#limits;
  }

  /** The version up to which the log is known. */
  get version(): number {
    return this.#version ?? 0;
  }

  /** Whether there is a text, so that the editor may be typed into. */
  get begun(): boolean {
    return this.#version !== null;
  }

  /** Edits that are not known to be committed. */
  get unconfirmed(): number {
    return (this.#inFlight?.edits ?? 0) + this.#restEdits + this.#typed().edits;
  }

  /** Whether a push was sent and its fate is not known. */
  get awaits(): boolean {
    return this.#inFlight?.sent === true;
  }

  /** From where the server is to go on; null: it has to send the text. */
  get resumePoint(): { epoch: string; version: number } | null {
    if (this.#version === null || this.#mustFetch) return null;
    return { epoch: this.#epoch, version: this.#version };
  }

  /** Whether to connect again, since nothing helps but a welcome with a text. */
  get mustFetch(): boolean {
    return this.#mustFetch;
  }

  /** Let the selection be sent again. */
  selected(): void {
    this.#selectDue = true;
  }

  /**
   * Return the push to be sent now, if any; it counts as sent.
   *
   * One is in flight at a time: a push that the last connection took with it is sent again, under its number, before
   * any other.
   */
  nextPush(): PushFrame | null {
    if (this.#version === null || this.#limits === null || this.#mode !== "edit") return null;
    if (this.#mustFetch || this.#taking) return null;
    if (this.#inFlight === null) this.#launch(this.#limits);
    const flying = this.#inFlight;
    if (flying === null || flying.sent) return null;
    this.#inFlight = { ...flying, sent: true };
    return { type: "push", seq: flying.seq, version: this.#version, updates: [flying.changes.toJSON() as unknown] };
  }

  /** Let what was typed go into flight, as far as the limits allow. What comes to nothing is confirmed. */
  #launch(limits: Limits): void {
    if (this.#rest === null) {
      const { sets, edits } = this.#typed();
      if (sets.length === 0) return;
      this.#rest = composed(sets, this.#committed.length);
      this.#restEdits = edits;
      this.#take(() => this.#dispatch({ effects: setTyped.of(NOTHING) }));
    }
    if (this.#rest.empty) {
      this.#rest = null;
      this.#restEdits = 0;
      return this.#launch(limits);
    }
    const sections = (limits.push_sections ?? PUSH_SECTIONS) / PUSH_SHARE;
    const [changes, rest] = cut(this.#rest, { bytes: limits.message_bytes / PUSH_SHARE, sections });
    this.#inFlight = { seq: ++this.#seq, changes, edits: rest ? 0 : this.#restEdits, sent: false };
    this.#rest = rest;
    if (rest === null) this.#restEdits = 0;
  }

  /** Return the selection to be sent now, if any, in the text that is committed; it counts as sent. */
  nextSelect(): SelectFrame | null {
    if (this.#taking) return null;
    const chain = this.#chain();
    const hidden = chain.length > 0;
    if (this.#version === null || !(this.#selectDue || (this.#selectRough && !hidden))) return null;
    this.#selectDue = false;
    this.#selectRough = hidden;
    const undo = hidden ? composed(chain, this.#committed.length).invertedDesc : null;
    const place = (pos: number): number => (undo ? undo.mapPos(pos) : pos);
    const ranges = this.#editor.state.selection.ranges.slice(0, SELECTION_RANGES);
    return {
      type: "select",
      version: this.#version,
      ranges: ranges.map((range) => [place(range.anchor), place(range.head)] as const),
    };
  }

  /** Return what is unsaved, in a form that can be stored; null if nothing is. */
  draft(): Draft | null {
    const flying = this.#inFlight === null ? [] : [this.#inFlight.changes];
    const following = this.#chain().slice(flying.length);
    if (this.#version === null || flying.length + following.length === 0) return null;
    const length = flying[0]?.newLength ?? this.#committed.length;
    const changes = following.length > 0 ? [...flying, composed(following, length)] : flying;
    return {
      epoch: this.#epoch,
      version: this.#version,
      base: this.#committed.toString(),
      changes: changes.map((each) => each.toJSON() as unknown),
      inFlight: this.#inFlight && { seq: this.#inFlight.seq, count: 1 },
      seq: this.#seq,
    };
  }

  /**
   * Take up unsaved edits where an earlier page has left them, before the first welcome; the editor can be typed into.
   *
   * @throws RangeError if they do not fit one another; nothing is changed then.
   */
  restore(draft: Draft): void {
    const { state } = this.#editor;
    const base = state.toText(draft.base);
    const changes = draft.changes.map((each) => ChangeSet.fromJSON(each));
    changes.reduce((text, each) => each.apply(text), base);
    this.#epoch = draft.epoch;
    this.#version = draft.version;
    this.#seq = draft.seq;
    this.#mode = "edit";
    const count = draft.inFlight?.count ?? 0;
    const sets = changes.slice(count);
    this.#inFlight = draft.inFlight && {
      seq: draft.inFlight.seq,
      changes: composed(changes.slice(0, count), base.length),
      edits: count,
      sent: false,
    };
    const unsaved = changes.map((each) => ({ changes: each }));
    const following = { effects: setTyped.of({ sets, edits: sets.length }) };
    this.#take(() => this.#begin(base, { effects: this.#accessEffect() }, ...unsaved, following));
  }

  /**
   * Take the first frame of a connection: go on from the log, or merge the text.
   *
   * @throws OutOfStep if it does not follow what the replica has.
   * @throws MadeAnew if the codespace is gone, and another one has begun under its name; nothing is changed.
   */
  resume(welcome: Welcome): void {
    const other = this.#version !== null && welcome.epoch !== this.#epoch;
    if (other && welcome.version === 0 && welcome.text === "" && this.#committed.length > 0) throw new MadeAnew();
    this.#take(() => this.#resume(welcome));
  }

  #resume(welcome: Welcome): void {
    this.#id = welcome.id;
    this.#limits = welcome.limits;
    this.#selectDue = true;
    if (this.#inFlight) this.#inFlight = { ...this.#inFlight, sent: false };
    this.#shorten();
    if (welcome.text !== undefined) this.#merge(welcome, this.#editor.state.toText(welcome.text));
    else this.#follow(welcome);
    this.#seq = Math.max(this.#seq, welcome.acked);
    if (this.#inFlight && this.#inFlight.seq <= welcome.acked) {
      // The number was used for a push of which the log here knows nothing.
      this.#inFlight = { ...this.#inFlight, seq: ++this.#seq };
    }
    if (welcome.mode !== this.#mode || welcome.mode === "view_only") {
      this.#mode = welcome.mode;
      this.#dispatch({ effects: this.#accessEffect() });
    }
    if (this.#mode === "view_only" && this.#chain().length > 0) {
      this.#takeBack(this.#chain(), "view_only", "this link is for looking only");
    }
  }

  /**
   * Take committed updates.
   *
   * @throws OutOfStep if they do not follow what the replica has.
   */
  receive(frame: UpdatesFrame): void {
    this.#take(() => this.#advance(frame.version, frame.updates));
  }

  /** Take the news that a push did not happen. Its edits are taken back, unless they may be pushed again. */
  refuse(frame: RefusedFrame): void {
    const flying = this.#inFlight;
    if (flying === null || !flying.sent || flying.seq !== frame.seq) return;
    this.#mustFetch = true;
    if (STALE.has(frame.code)) this.#recall();
    else {
      const refused = this.#rest === null ? [flying.changes] : [flying.changes, this.#rest];
      this.#take(() => this.#takeBack(refused, frame.code, frame.reason));
    }
  }

  /** Take a peer's selection; one of another version than the log is known to cannot be placed. */
  select(id: string, version: number, ranges: readonly SelectedRange[]): void {
    const { length } = this.#committed;
    if (version !== this.#version || ranges.some(([anchor, head]) => Math.max(anchor, head) > length)) return;
    const chain = this.#chain();
    const changes = chain.length > 0 ? composed(chain, length).desc : null;
    const place = (pos: number): number => (changes ? changes.mapPos(pos) : pos);
    this.#hooks.onSelection(
      id,
      ranges.map(([anchor, head]) => [place(anchor), place(head)] as const),
    );
  }

  /** Leave the text on the screen as it is, for good: it cannot be typed into any more. */
  close(): void {
    this.#mode = "view_only";
    this.#dispatch({ effects: this.#accessEffect() });
  }

  #take(act: () => void): void {
    this.#taking = true;
    try {
      act();
    } finally {
      this.#taking = false;
    }
  }

  #follow(welcome: Welcome): void {
    if (this.resumePoint === null || welcome.epoch !== this.#epoch) {
      this.#mustFetch = true;
      throw new OutOfStep("the welcome has no text, and nothing that this client could go on from");
    }
    this.#advance(welcome.version, welcome.updates ?? []);
    if (this.#version !== welcome.version) {
      this.#mustFetch = true;
      throw new OutOfStep(`welcome to version ${welcome.version}, which is older than version ${this.version}`);
    }
  }

  /** Take a whole text: what differs from the committed one was done by others, in one step. */
  #merge(welcome: Welcome, text: Text): void {
    const begins = this.#version === null;
    const flying = this.#inFlight;
    if (begins) this.#begin(text);
    else if (flying && flying.seq <= welcome.acked) this.#confirm(flying);
    this.#epoch = welcome.epoch;
    this.#version = welcome.version;
    this.#mustFetch = false;
    if (!begins) this.#replaceCommitted(text);
  }

  #advance(version: number, updates: readonly CommittedUpdate[]): void {
    const first = version - updates.length;
    if (this.#version === null || first > this.#version) {
      throw new OutOfStep(`version ${this.version} is followed by ${first + 1}`);
    }
    for (const push of byPush(updates.slice(this.#version - first))) {
      try {
        this.#advanceBy(push);
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        this.#mustFetch = true;
        throw new OutOfStep(`an update after version ${this.version} is for another text: ${error.message}`);
      }
    }
  }

  #advanceBy(push: readonly CommittedUpdate[]): void {
    const { sender, seq } = push[0]!;
    const changes = composed(
      push.map((update) => ChangeSet.fromJSON(update.changes)),
      this.#committed.length,
    );
    const after = changes.apply(this.#committed);
    const flying = this.#inFlight;
    if (sender === this.#id && flying !== null && seq === flying.seq) {
      this.#confirm(flying);
      // As a rule it is the same: unless it was rebased on a text that was merged in another way, and the log is right.
      this.#replaceCommitted(after);
    } else {
      this.#committed = after;
      this.#passOver(changes);
    }
    this.#version = this.version + push.length;
  }

  /** The push in flight is committed. */
  #confirm(flying: InFlight): void {
    this.#committed = flying.changes.apply(this.#committed);
    this.#inFlight = null;
  }

  /**
   * Move the chain behind `changes`, which others have made to the text where it starts, and the text on the screen.
   * At a tie others stay left, since they are in the log and these are not.
   */
  #passOver(changes: ChangeSet): void {
    let others = changes;
    const moved = (own: ChangeSet): ChangeSet => {
      const mapped = own.map(others);
      others = others.map(own, true);
      return mapped;
    };
    if (this.#inFlight) this.#inFlight = { ...this.#inFlight, changes: moved(this.#inFlight.changes) };
    if (this.#rest) this.#rest = moved(this.#rest);
    const { sets, edits } = this.#typed();
    const effects = sets.length > 0 ? setTyped.of({ sets: sets.map(moved), edits }) : [];
    this.#dispatch({ changes: others, effects });
  }

  /** Compose what was typed, so that little has to be moved behind what others did meanwhile. */
  #shorten(): void {
    const { sets, edits } = this.#typed();
    if (sets.length > 1) this.#dispatch({ effects: setTyped.of({ sets: [composed(sets, 0)], edits }) });
  }

  /** Put the push in flight back to what was typed. */
  #recall(): void {
    const flying = this.#inFlight;
    if (flying === null) return;
    this.#restEdits += flying.edits;
    this.#rest = this.#rest === null ? flying.changes : flying.changes.compose(this.#rest);
    this.#inFlight = null;
  }

  #replaceCommitted(text: Text): void {
    if (text.eq(this.#committed)) return;
    const changes = difference(this.#committed, text);
    this.#committed = text;
    this.#passOver(changes);
  }

  /** Take back the first change sets of the chain, which are `refused`; what was typed since stays. */
  #takeBack(refused: readonly ChangeSet[], code: string, reason: string): void {
    const changes = composed(refused, this.#committed.length);
    const all = refused.length === this.#chain().length;
    this.#inFlight = null;
    this.#rest = null;
    this.#restEdits = 0;
    if (all && this.#typed().edits > 0) this.#dispatch({ effects: setTyped.of(NOTHING) });
    this.#passOver(changes.invert(this.#committed));
    this.#hooks.onRefused({ code, reason, inserted: insertedBy(changes) });
  }

  /** Have `text` on the screen, whatever was there, and what follows it in the same step; that is unconfirmed. */
  #begin(text: Text, ...following: readonly TransactionSpec[]): void {
    const { doc } = this.#editor.state;
    const specs: TransactionSpec[] = text.eq(doc) ? [] : [{ changes: { from: 0, to: doc.length, insert: text } }];
    specs.push({ effects: setTyped.of(NOTHING) });
    this.#committed = text;
    this.#dispatchAll([...specs, ...following]);
  }

  #accessEffect(): StateEffect<unknown> {
    return this.#access.reconfigure(EditorState.readOnly.of(this.#mode === "view_only"));
  }

  #typed(): Typed {
    return this.begun ? this.#editor.state.field(typed) : NOTHING;
  }

  /** All unconfirmed change sets, each after the one before. */
  #chain(): readonly ChangeSet[] {
    const pushed = [this.#inFlight?.changes, this.#rest].filter((each) => each != null);
    return [...pushed, ...this.#typed().sets];
  }

  /** Whether the text has room for an edit. */
  #allows(transaction: Transaction): boolean {
    if (!transaction.docChanged || this.#limits === null || transaction.annotation(byReplica)) return true;
    const { text_units } = this.#limits;
    const { length } = transaction.newDoc;
    if (length <= text_units || length <= transaction.startState.doc.length) return true;
    const reason = `a text has at most ${text_units} characters`;
    const inserted = insertedBy(transaction.changes);
    // Later: a filter may only look.
    queueMicrotask(() => this.#hooks.onRefused({ code: "too_large", reason, inserted }));
    return false;
  }

  /** Make several changes one after the other, in one step to whoever listens to the editor. */
  #dispatchAll(specs: readonly TransactionSpec[]): void {
    const transactions: Transaction[] = [];
    for (const spec of specs) {
      const state = transactions.at(-1)?.state ?? this.#editor.state;
      transactions.push(state.update(mine(spec)));
    }
    this.#editor.dispatch(transactions);
  }

  #dispatch(change: TransactionSpec | Transaction): void {
    this.#editor.dispatch([change instanceof Transaction ? change : this.#editor.state.update(mine(change))]);
  }
}

function mine(spec: TransactionSpec): TransactionSpec {
  return {
    ...spec,
    annotations: [byReplica.of(true), Transaction.remote.of(true), Transaction.addToHistory.of(false)],
    filter: false,
  };
}
