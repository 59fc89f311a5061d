/**
 * The editor as a replica uses it: it collects what the user types, and takes the replica's own changes.
 *
 * Where the user may not edit, no other change stays. Commands ask whether an editor is read-only, some completions and
 * extensions do not: a filter stops those. A change that passes by filters, as an undo does, is taken back at once.
 */
import { ChangeSet, EditorState, StateEffect, Transaction, type TransactionSpec } from "@codemirror/state";
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
export declare const NOTHING: Typed;
/** Something of what was typed was taken, moved or put back. */
export declare const setTyped: import("@codemirror/state").StateEffectType<Typed>;
export declare class Screen {
    #private;
    /** Nothing can be typed until that is allowed. `allows` says whether an edit of the user is taken. */
    constructor(editor: Editor, allows: (transaction: Transaction) => boolean);
    get state(): EditorState;
    get typed(): Typed;
    /** Compose what was typed, so that little has to be moved behind changes of others. */
    shorten(): void;
    /** Return the effect that lets the user edit, or bars the user from it. */
    access(mayEdit: boolean): StateEffect<unknown>;
    /** Take back what passed the bar. */
    clear(): void;
    /** Make several changes one after the other, in one step for listeners of the editor. */
    dispatch(...specs: readonly TransactionSpec[]): void;
}
