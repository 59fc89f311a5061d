/** Unsaved edits kept in the browser, so that they outlive the page. */
import type { Mode } from "./protocol.js";
import type { Draft } from "./draft.js";
/** Keeps the unsaved edits of one codespace; one for each connection. What is optional may be left out. */
export interface DraftStore {
    /** Return a session that is this page's alone, and what was left unsaved in it. */
    take(): Promise<{
        session: string;
        draft: Draft | null;
    }>;
    /** Keep what is unsaved now in place of what was; null: nothing is. Return whether it could be kept. */
    keep(draft: Draft | null): boolean;
    /** Let another page have the session; what is kept stays. */
    release(): void;
    /** Keep under the name of the codespace from now on, which every link to it leads to. */
    named?(codespace: string, mode: Mode): Promise<void>;
    /** Return a store with what a closed window has left unsaved, which is its page's alone; null: there is none. */
    next?(): Promise<DraftStore | null>;
    /** Keep nothing that is not needed: the page is hidden, and may be gone without a word. */
    tidy?(): void;
    /**
     * Keep a text that cannot be sent any more, in place of what is unsaved, to be offered by the next page; and by this
     * one, unless the text is on its screen. Return whether it could be kept.
     */
    setAside?(reason: string, text: string, isOnScreen: boolean): boolean;
    /** Return the texts that were set aside and have not been returned yet. */
    asides?(): readonly Aside[];
}
/** A text that an earlier page could not send. */
export interface Aside {
    readonly reason: string;
    readonly text: string;
    forget(): void;
}
/** Return a session: random 128 bits as base64url. */
export declare function newSession(): string;
/** Keep nothing. */
export declare function noDrafts(): DraftStore;
/**
 * Keep unsaved edits in the browser's local storage, under the codespace's name.
 *
 * `address` stands for the codespace until a server has told its name. Where there is no storage, or no room in it,
 * nothing is kept.
 */
export declare function localDrafts(address: string): DraftStore;
