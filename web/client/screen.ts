/**
 * The editor as a replica uses it: it collects what the user types, and takes the replica's own changes.
 *
 * Where the user may not edit, no other change stays. Commands ask whether an editor is read-only, some completions and
 * extensions do not: a filter stops those. A change that passes by filters, as an undo does, is taken back at once.
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

/** Edits that have not gone into a push: change sets, each after the one before, and the number of edits in them. */
export interface Typed {
  readonly sets: readonly ChangeSet[];
  readonly edits: number;
}

export const NOTHING: Typed = { sets: [], edits: 0 };

/** Something of what was typed was taken, moved or put back. */
export const setTyped = StateEffect.define<Typed>();

/** The transactions of this module; all others are the user's. */
const byReplica = Annotation.define<boolean>();

/** Whether changes of the user are barred. */
const barred = Facet.define<boolean, boolean>({ combine: (values) => values.some(Boolean) });

/** Change sets of what was typed that are kept before they are composed. */
const TYPED_SETS = 64;

const typed = StateField.define<Typed>({
  create: () => NOTHING,
  update(before, transaction) {
    for (const effect of transaction.effects) if (effect.is(setTyped)) return effect.value;
    if (!isUsers(transaction) || transaction.startState.facet(barred)) return before;
    const sets = [...before.sets, transaction.changes];
    const short = sets.length > TYPED_SETS ? [composed(sets, 0)] : sets;
    return { sets: short, edits: before.edits + 1 };
  },
});

/** The way back from changes that passed the bar. */
const stray = StateField.define<ChangeSet | null>({
  create: () => null,
  update(before, transaction) {
    if (transaction.annotation(byReplica)) return null;
    if (!transaction.docChanged || !transaction.startState.facet(barred)) return before;
    const back = transaction.changes.invert(transaction.startState.doc);
    return before === null ? back : back.compose(before);
  },
});

function isUsers(transaction: Transaction): boolean {
  return transaction.docChanged && !transaction.annotation(byReplica);
}

export class Screen {
  readonly #editor: Editor;
  readonly #access = new Compartment();

  /** Nothing can be typed until that is allowed. `allows` says whether an edit of the user is taken. */
  constructor(editor: Editor, allows: (transaction: Transaction) => boolean) {
    this.#editor = editor;
    const passes = (transaction: Transaction): boolean =>
      !isUsers(transaction) || (!transaction.startState.facet(barred) && allows(transaction));
    this.dispatch({
      effects: StateEffect.appendConfig.of([
        typed,
        stray,
        this.#access.of(access(false)),
        EditorState.transactionFilter.of((transaction) => (passes(transaction) ? transaction : [])),
      ]),
    });
  }

  get state(): EditorState {
    return this.#editor.state;
  }

  get typed(): Typed {
    return this.#editor.state.field(typed);
  }

  /** Compose what was typed, so that little has to be moved behind changes of others. */
  shorten(): void {
    const { sets, edits } = this.typed;
    if (sets.length > 1) this.dispatch({ effects: setTyped.of({ sets: [composed(sets, 0)], edits }) });
  }

  /** Return the effect that lets the user edit, or bars the user from it. */
  access(mayEdit: boolean): StateEffect<unknown> {
    return this.#access.reconfigure(access(mayEdit));
  }

  /** Take back what passed the bar. */
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
