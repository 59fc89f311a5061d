/**
 * One editor's text, and what is known of the codespace: what is committed, and what was typed since.
 *
 * A push in flight is sent again after a lost connection. No socket, no clock. Whatever the server does, no edit is lost
 * in silence: it is unconfirmed, or committed, or handed to `onRefused`.
 */

import { ChangeSet, Text, type Transaction, type TransactionSpec } from "@codemirror/state";

import type { ResumePoint } from "./address.js";
import { byPush, composed, difference, insertedBy, sizeOf } from "./changes.js";
import { Committed } from "./committed.js";
import { Drafted, type Draft } from "./draft.js";
import { deletions, partLimits, pushLimits } from "./parcel.js";
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
import { reasonOf, refusalOf, STALE, VIEW_ONLY, type Refusal } from "./refusals.js";
import { NOTHING, Screen, setTyped, type Editor, type Unit } from "./screen.js";
import { Unconfirmed } from "./unconfirmed.js";

/** What a replica tells of itself, in the middle of what it does: do not change the editor from there. */
export interface ReplicaHooks {
  /** Edits are taken back. */
  onRefused(refusal: Refusal): void;
  /** Peers' selections in the text on the screen. */
  onSelection(id: string, ranges: readonly SelectedRange[]): void;
}

/** What the server sent does not follow what the replica has: connect again, from its `resumePoint`. */
export class OutOfStep extends Error {}

/** The codespace has had another life: the text of the earlier one is on this screen, and perhaps nowhere else. */
export class AnotherLife extends Error {}

export class Replica {
  readonly #screen: Screen;
  readonly #hooks: ReplicaHooks;
  /** Text and version of what is committed; no version before the first welcome. */
  readonly #committed = new Committed();
  #version: number | null = null;
  /** The mark of the update that made the version; null: it was not heard. */
  #tip: string | null = null;
  #epoch = "";
  readonly #unconfirmed: Unconfirmed;
  /** Number of the last push. */
  #seq = 0;
  /** Whether only a whole text helps. */
  #mustFetch = false;
  /**
   * Whether something of the server's is being taken. Listeners of the editor may change it in the middle of that, when
   * the text on the screen and what is known of the log do not fit one another yet: nothing is sent then.
   */
  #taking = false;
  /** What the last welcome said. */
  #id = "";
  #mode: Mode = "view_only";
  #limits: Limits | null = null;
  /** Whether the selection is to be sent, and whether it was sent when unconfirmed edits hid where it really is. */
  #selectDue = true;
  #selectRough = false;
  readonly #drafted = new Drafted();

  /** The editor cannot be typed into until there is a text to type into. */
  constructor(editor: Editor, hooks: ReplicaHooks) {
    this.#hooks = hooks;
    this.#screen = new Screen(editor, (transaction, isStray) => this.#allows(transaction, isStray));
    this.#unconfirmed = new Unconfirmed(this.#screen);
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
    return this.#unconfirmed.edits;
  }

  /** Whether a push was sent and its fate is not known. */
  get awaits(): boolean {
    return this.#unconfirmed.inFlight?.sent === true;
  }

  /** Whether something of the server's is being taken, so that there is no draft that fits. */
  get isTaking(): boolean {
    return this.#taking;
  }

  /** What was typed and has not gone into a push: another object after each edit. */
  get typed(): readonly Unit[] {
    return this.#screen.typed;
  }

  /** The text on the screen, and what of it the unconfirmed edits have inserted. */
  get text(): string {
    return this.#screen.state.doc.toString();
  }

  get inserted(): string {
    const { chain } = this.#unconfirmed;
    return chain.length > 0 ? insertedBy(composed(chain, this.#committed.text.length)) : "";
  }

  /** From where the server is to go on; null: it has to send the text. */
  get resumePoint(): ResumePoint | null {
    if (this.#version === null || this.#mustFetch) return null;
    return { epoch: this.#epoch, version: this.#version, tip: this.#tip };
  }

  /** Whether to connect again, since nothing helps but a welcome with a text. */
  get mustFetch(): boolean {
    return this.#mustFetch;
  }

  /** Take note that the user has changed the text or the selection. */
  changed(): void {
    this.#screen.clear();
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
    const limits = this.#limits;
    if (this.#unconfirmed.inFlight?.sent === false) this.#unconfirmed.fit(pushLimits(limits));
    if (this.#unconfirmed.inFlight === null) {
      const { length } = this.#committed.text;
      this.#take(() => this.#unconfirmed.launch(this.#seq + 1, partLimits(limits), length) && this.#seq++);
    }
    const flying = this.#unconfirmed.inFlight;
    if (flying === null || flying.sent) return null;
    this.#unconfirmed.mark(true);
    return { type: "push", seq: flying.seq, version: this.#version, updates: [flying.changes.toJSON() as unknown] };
  }

  /** Return the selection to be sent now, if any, in the text that is committed; it counts as sent. */
  nextSelect(): SelectFrame | null {
    if (this.#taking) return null;
    const { chain } = this.#unconfirmed;
    const hidden = chain.length > 0;
    if (this.#version === null || !(this.#selectDue || (this.#selectRough && !hidden))) return null;
    this.#selectDue = false;
    this.#selectRough = hidden;
    const undo = hidden ? composed(chain, this.#committed.text.length).invertedDesc : null;
    const place = (pos: number): number => (undo ? undo.mapPos(pos) : pos);
    const ranges = this.#screen.state.selection.ranges.slice(0, SELECTION_RANGES);
    return {
      type: "select",
      version: this.#version,
      ranges: ranges.map((range) => [place(range.anchor), place(range.head)] as const),
    };
  }

  /** Return what is unsaved, in a form that can be stored; null if nothing is. */
  draft(): Draft | null {
    const { inFlight, chain } = this.#unconfirmed;
    if (this.#version === null || chain.length === 0) return null;
    return {
      epoch: this.#epoch,
      version: this.#version,
      ...this.#committed.based(),
      changes: this.#drafted.of(chain, inFlight !== null),
      inFlight: inFlight && { seq: inFlight.seq, count: 1, isPart: inFlight.isPart },
      seq: this.#seq,
    };
  }

  /**
   * Take up unsaved edits where an earlier page has left them, before the first welcome; the editor can be typed into.
   *
   * @throws RangeError if they do not fit one another; nothing is changed then.
   */
  restore(draft: Draft): void {
    if (typeof draft.epoch !== "string" || !(draft.version >= 0 && draft.seq >= 0)) throw new RangeError("not a draft");
    const committed = new Committed();
    committed.restore({ base: draft.base, since: draft.since });
    const { length } = committed.text;
    const changes = draft.changes.map((each) => ChangeSet.fromJSON(each));
    composed(changes, length).apply(committed.text);
    const count = draft.inFlight?.count ?? 0;
    const flying = count > 0 ? composed(changes.slice(0, count), length) : null;
    const isPart = draft.inFlight?.isPart === true && changes.length > count;
    this.#committed.restore({ base: draft.base, since: draft.since });
    this.#epoch = draft.epoch;
    this.#version = draft.version;
    this.#seq = draft.seq;
    this.#mode = "edit";
    this.#unconfirmed.restore(flying, draft.inFlight?.seq ?? 0, isPart, changes.slice(count));
    const unsaved = changes.map((each) => ({ changes: each }));
    this.#take(() => this.#show({ effects: this.#screen.access(true) }, ...unsaved));
  }

  /**
   * Take the first frame of a connection: go on from the log, or merge the text.
   *
   * @throws OutOfStep if it does not follow what the replica has.
   * @throws AnotherLife if it is not the codespace that the replica knows; nothing is changed.
   */
  resume(welcome: Welcome): void {
    if (this.#isAnotherLife(welcome)) throw new AnotherLife();
    this.#take(() => this.#resume(welcome));
  }

  /** Whether a welcome is to another life of the codespace, so that its text must not replace the one here. */
  #isAnotherLife({ epoch, version, text, before }: Welcome): boolean {
    if (this.#version === null || epoch === this.#epoch) return false;
    // Where nothing was committed there is no text that could be lost.
    if (this.#committed.text.length === 0) return false;
    // An older server does not tell which lives the present one goes on from.
    return before === undefined ? version === 0 && text === "" : !before.includes(this.#epoch);
  }

  #resume(welcome: Welcome): void {
    this.#id = welcome.id;
    this.#limits = welcome.limits;
    this.#selectDue = true;
    this.#unconfirmed.mark(false);
    if (welcome.text !== undefined) this.#merge(welcome, this.#screen.state.toText(welcome.text));
    else this.#follow(welcome);
    this.#seq = Math.max(this.#seq, welcome.acked);
    const flying = this.#unconfirmed.inFlight;
    // The number was used for a push of which the log here knows nothing.
    if (flying && flying.seq <= welcome.acked) this.#unconfirmed.mark(false, ++this.#seq);
    if (welcome.mode !== "edit" && this.#unconfirmed.chain.length > 0) {
      this.#takeBack(this.#unconfirmed.takeAll(this.#committed.text.length), "view_only", VIEW_ONLY);
    }
    if (welcome.mode !== this.#mode) this.#screen.dispatch({ effects: this.#screen.access(welcome.mode === "edit") });
    this.#mode = welcome.mode;
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
    const flying = this.#unconfirmed.inFlight;
    if (flying === null || !flying.sent || flying.seq !== frame.seq) return;
    this.#mustFetch = true;
    if (STALE.has(frame.code)) return this.#unconfirmed.recall();
    // Of several edits it shows which is refused when each is sent by itself; what is too much is sent in parts.
    if (this.#unconfirmed.divide() || (frame.code === "too_much" && this.#unconfirmed.shrink())) return;
    const refused = this.#unconfirmed.takeFlying(this.#committed.text.length);
    this.#take(() => this.#takeBack(refused, frame.code, reasonOf(frame, this.#limits)));
  }

  /** Take a peer's selection; one of another version than the log is known to cannot be placed. */
  select(id: string, version: number, ranges: readonly SelectedRange[]): void {
    const { length } = this.#committed.text;
    if (version !== this.#version || ranges.some(([anchor, head]) => Math.max(anchor, head) > length)) return;
    const { chain } = this.#unconfirmed;
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
    this.#screen.dispatch({ effects: this.#screen.access(false) });
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
    this.#unconfirmed.shorten();
    this.#advance(welcome.version, welcome.updates ?? []);
    if (this.#version !== welcome.version) {
      this.#mustFetch = true;
      throw new OutOfStep(`welcome to version ${welcome.version}, which is older than version ${this.version}`);
    }
  }

  /** Take a whole text: what differs from the committed one was done by others, in one step. */
  #merge(welcome: Welcome, text: Text): void {
    const begins = this.#version === null;
    const flying = this.#unconfirmed.inFlight;
    if (begins) {
      this.#committed.set(text);
      this.#show();
    } else if (flying && flying.seq <= welcome.acked) this.#confirm();
    const isUnknown = welcome.acked > this.#seq;
    this.#epoch = welcome.epoch;
    this.#version = welcome.version;
    this.#tip = null;
    this.#mustFetch = false;
    if (begins) return;
    if (isUnknown) this.#settleIn(text);
    this.#replaceCommitted(text);
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
      this.#committed.text.length,
    );
    const after = changes.apply(this.#committed.text);
    const isOwn = sender === this.#id;
    const isFlying = isOwn && seq === this.#unconfirmed.inFlight?.seq;
    const isDone = isFlying && this.#unconfirmed.isFlyingIn(changes);
    // An earlier page has used the number for a push of its own: perhaps for a part of this one, and more.
    if (isFlying && !isDone) this.#unconfirmed.recall();
    if (isDone) {
      this.#confirm(changes);
      // As a rule it is the same: unless it was rebased on a text that was merged in another way, and the log is right.
      this.#replaceCommitted(after);
    } else if (isOwn && (isFlying || seq > this.#seq) && this.#settle(changes)) {
      this.#replaceCommitted(after);
    } else {
      this.#committed.change(changes);
      this.#unconfirmed.passOver(changes);
    }
    if (isOwn) this.#seq = Math.max(this.#seq, seq);
    this.#version = this.version + push.length;
    this.#tip = `${sender}:${seq}`;
  }

  /** The push in flight is committed, as `done` if that is known. */
  #confirm(done?: ChangeSet): void {
    const own = this.#unconfirmed.land();
    if (own === null) return;
    this.#committed.change(own);
    // A push that was made to fit has left deletions to the next one, and was committed with them.
    const left = done && deletions(done).map(own);
    if (!left || left.empty) return;
    this.#committed.change(left);
    this.#unconfirmed.passOver(left);
  }

  /**
   * Confirm what waits here as far as `done` does it, which this session has pushed under a number that is not known
   * here: an earlier page has pushed what it had kept, and has ended before it kept that it did. Return whether any was.
   */
  #settle(done: ChangeSet): boolean {
    const settled = this.#unconfirmed.settle(done);
    if (settled !== null) this.#committed.change(settled);
    return settled !== null;
  }

  /** As `#settle`, of pushes of which only the text is known that they have led to. */
  #settleIn(text: Text): void {
    const { waiting } = this.#unconfirmed;
    if (waiting === null) return;
    const before = this.#committed.text;
    const done = difference(before, text);
    const isDone = sizeOf(difference(waiting.apply(before), text)) < sizeOf(done);
    this.#settle(isDone ? waiting : done);
  }

  #replaceCommitted(text: Text): void {
    if (text.eq(this.#committed.text)) return;
    const changes = difference(this.#committed.text, text);
    this.#committed.change(changes);
    this.#unconfirmed.passOver(changes);
  }

  /** Take edits that were refused out of the text on the screen; what was typed since stays. */
  #takeBack(refused: ChangeSet, code: string, reason: string): void {
    this.#unconfirmed.passOver(refused.invert(this.#committed.text));
    this.#hooks.onRefused({ code, reason, inserted: insertedBy(refused) });
  }

  /** Have the committed text on the screen, whatever was there, and what follows it in the same step. */
  #show(...following: readonly TransactionSpec[]): void {
    const { text } = this.#committed;
    this.#screen.clear();
    const { doc } = this.#screen.state;
    const specs: TransactionSpec[] = text.eq(doc) ? [] : [{ changes: { from: 0, to: doc.length, insert: text } }];
    this.#screen.dispatch(...specs, { effects: setTyped.of(NOTHING) }, ...following);
  }

  /** Whether an edit of the user can be sent; `isStray`: it is made upon one that cannot. */
  #allows(transaction: Transaction, isStray: boolean): boolean {
    const refusal = refusalOf(transaction, isStray, this.#limits);
    // Later: a filter may only look.
    if (refusal !== null) queueMicrotask(() => this.#hooks.onRefused(refusal));
    return refusal === null;
  }
}
