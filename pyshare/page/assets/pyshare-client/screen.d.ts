/**
 * The editor as a replica uses it: it collects what the user types, and takes the replica's own changes.
 *
 * Where the user may not edit, no other change stays, nor does an edit that can never be sent. Commands ask whether an
 * editor is read-only, some completions and extensions do not: a filter stops those. A change that passes by filters, as
 * an undo does, is taken back at once.
 */
import { ChangeSet, EditorState, StateEffect, Transaction, type TransactionSpec } from "@codemirror/state";
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
export declare const NOTHING: readonly Unit[];
/** Something of what was typed was taken, moved or put back: these are the edits that have not gone into a push. */
export declare const setTyped: import("@codemirror/state").StateEffectType<readonly Unit[]>;
/** Whether an edit of the user is taken; `isStray`: it is made upon one that is not, and cannot be. */
export type Rule = (transaction: Transaction, isStray: boolean) => boolean;
/** Return units as one. */
export declare function joined(units: readonly Unit[]): readonly Unit[];
export declare class Screen {
    #private;
    /** Nothing can be typed until that is allowed. */
    constructor(editor: Editor, rule: Rule);
    get state(): EditorState;
    get typed(): readonly Unit[];
    /** Return the effect that lets the user edit, or bars the user from it. */
    access(mayEdit: boolean): StateEffect<unknown>;
    /** Take back what is not taken. */
    clear(): void;
    /** Make several changes one after the other, in one step for listeners of the editor. */
    dispatch(...specs: readonly TransactionSpec[]): void;
}
