/**
 * The editor as a replica uses it: it collects what the user types, and takes the replica's own changes.
 *
 * Where the user may not edit, no other change stays, nor does an edit that can never be sent. Commands ask whether an
 * editor is read-only, some completions and extensions do not: a filter stops those. A change that passes by filters, as
 * an undo does, is taken back at once.
 */

import {
  Annotation,
  ChangeSet,
  Compartment,
  EditorState,
  Facet,
  StateEffect,
  StateField,
  Transaction,
  type Extension,
  type TransactionSpec,
} from "@codemirror/state";

import { composed } from "./changes.js";

/** What a replica needs of an editor; an `EditorView` is one. */
export interface Editor {
  readonly state: EditorState;
  dispatch(transactions: readonly Transaction[]): void;
}

/** Edits that go into one push together, and their number. */
export interface Unit {
  readonly changes: ChangeSet;
  readonly edits: number;
}

export const NOTHING: readonly Unit[] = [];

/** Something of what was typed was taken, moved or put back: these are the edits that have not gone into a push. */
export const setTyped = StateEffect.define<readonly Unit[]>();

/** The transactions of this module; all others are the user's. */
const byReplica = Annotation.define<boolean>();

/** Whether changes of the user are barred. */
const barred = Facet.define<boolean, boolean>({ combine: (values) => values.some(Boolean) });

/** Whether an edit of the user is taken; `isStray`: it is made upon one that is not, and cannot be. */
export type Rule = (transaction: Transaction, isStray: boolean) => boolean;

const rules = Facet.define<Rule>();

/** Edits of what was typed that are kept apart. */
const APART = 64;

const typed = StateField.define<readonly Unit[]>({
  create: () => NOTHING,
  update(before, transaction) {
    for (const effect of transaction.effects) if (effect.is(setTyped)) return effect.value;
    if (!isUsers(transaction) || !isTaken(transaction)) return before;
    const units = [...before, { changes: transaction.changes, edits: 1 }];
    return units.length > APART ? joined(units) : units;
  },
});

/** The way back from changes that are not taken, and that no filter has stopped. */
const stray = StateField.define<ChangeSet | null>({
  create: () => null,
  update(before, transaction) {
    if (transaction.annotation(byReplica)) return null;
    if (!transaction.docChanged || isTaken(transaction)) return before;
    const back = transaction.changes.invert(transaction.startState.doc);
    return before === null ? back : back.compose(before);
  },
});

function isUsers(transaction: Transaction): boolean {
  return transaction.docChanged && !transaction.annotation(byReplica);
}

/** What was found of each transaction: a rule is asked once. */
const verdicts = new WeakMap<Transaction, boolean>();

function isTaken(transaction: Transaction): boolean {
  const known = verdicts.get(transaction);
  if (known !== undefined) return known;
  const { startState } = transaction;
  const isStray = startState.field(stray, false) != null;
  const verdict = !startState.facet(barred) && startState.facet(rules).every((rule) => rule(transaction, isStray));
  verdicts.set(transaction, verdict);
  return verdict;
}

/** Return units as one. */
export function joined(units: readonly Unit[]): readonly Unit[] {
  if (units.length < 2) return units;
  const changes = composed(
    units.map((unit) => unit.changes),
    0,
  );
  return [{ changes, edits: units.reduce((sum, { edits }) => sum + edits, 0) }];
}

/** Return the effects that put an extension in that place of an editor, without what an earlier connection left there. */
export function placing(
  place: Compartment,
  state: EditorState,
  extension: Extension,
): readonly StateEffect<unknown>[][] {
  if (place.get(state) === undefined) return [[StateEffect.appendConfig.of(place.of(extension))]];
  // In two steps, so that fields begin again.
  return [[place.reconfigure([])], [place.reconfigure(extension)]];
}

/** The place of a screen's extension in an editor, which has one screen at a time. */
const place = new Compartment();

export class Screen {
  readonly #editor: Editor;
  readonly #access = new Compartment();

  /** Nothing can be typed until that is allowed. An earlier screen of the editor gives way. */
  constructor(editor: Editor, rule: Rule) {
    this.#editor = editor;
    const passes = (transaction: Transaction): boolean => !isUsers(transaction) || isTaken(transaction);
    const extension = [
      typed,
      stray,
      this.#access.of(access(false)),
      rules.of(rule),
      EditorState.transactionFilter.of((transaction) => (passes(transaction) ? transaction : [])),
    ];
    this.dispatch(...placing(place, editor.state, extension).map((effects) => ({ effects })));
  }

  get state(): EditorState {
    return this.#editor.state;
  }

  get typed(): readonly Unit[] {
    return this.#editor.state.field(typed);
  }

  /** Return the effect that lets the user edit, or bars the user from it. */
  access(mayEdit: boolean): StateEffect<unknown> {
    return this.#access.reconfigure(access(mayEdit));
  }

  /** Take back what is not taken. */
  clear(): void {
    const back = this.#editor.state.field(stray, false);
    if (back) this.#editor.dispatch([this.#editor.state.update(own({ changes: back }))]);
  }

  /** Make several changes one after the other, in one step for listeners of the editor. */
  dispatch(...specs: readonly TransactionSpec[]): void {
    this.clear();
    const transactions: Transaction[] = [];
    for (const spec of specs) {
      const state = transactions.at(-1)?.state ?? this.#editor.state;
      transactions.push(state.update(own(spec)));
    }
    this.#editor.dispatch(transactions);
  }
}

function access(mayEdit: boolean): Extension {
  return [EditorState.readOnly.of(!mayEdit), barred.of(!mayEdit)];
}

function own(spec: TransactionSpec): TransactionSpec {
  return {
    ...spec,
    annotations: [byReplica.of(true), Transaction.remote.of(true), Transaction.addToHistory.of(false)],
    filter: false,
  };
}
