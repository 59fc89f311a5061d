/**
 * The records in a browser's local storage: drafts, the texts below them, texts that were set aside, and the codespaces
 * that addresses lead to. Where there is no storage, or no room in it, nothing is there.
 *
 * A draft is written with each key and before each push. So what is long and changes seldom has records of its own, with
 * numbers: the text below the draft, a large paste on its way. A new one is written first, then the draft that names it,
 * then the old one is removed. A crash in between leaves one that is whole.
 */
import type { Mode } from "./protocol.js";
import { type Draft } from "./draft.js";
interface KnownCodespace {
    readonly codespace: string;
    readonly mode: Mode;
    readonly at: number;
}
export interface KeptAside {
    readonly key: string;
    readonly reason: string;
    readonly text: string;
    forget(): void;
}
/** The records of one session in one place. */
export declare class Records {
    #private;
    constructor(place: string, session: string);
    /** Return the sessions of a place that have something unsaved, the oldest first; forget what is too old. */
    static sessions(place: string): readonly string[];
    /** Remove what has no use any more: texts of pages that have ended, and what is too old. */
    static sweep(heldLocks: () => Promise<ReadonlySet<string> | null>): Promise<void>;
    /** Return the codespace that an address led to last, and with which mode. */
    static codespaceAt(address: string): KnownCodespace | null;
    static rememberCodespace(address: string, codespace: string, mode: Mode): void;
    /** Keep a text for the next page. Return its key; null if there is no room. */
    static setAside(place: string, reason: string, text: string): string | null;
    static asides(place: string): readonly KeptAside[];
    /** Return what is kept; null if nothing is, or nothing whole. */
    get(): {
        readonly draft: Draft;
        readonly at: number;
    } | null;
    /** Return the text that can be found in a draft that is not whole; null if there is none, or a whole one. */
    scraps(): string | null;
    /** Keep a draft; return whether there is room. */
    put(draft: Draft): boolean;
    /** Keep no draft, but the text below the next one. */
    empty(): void;
    clear(): void;
}
/** Return what `act` does; undefined if storage is forbidden or full. */
export declare function attempt<T>(act: () => T): T | undefined;
export {};
