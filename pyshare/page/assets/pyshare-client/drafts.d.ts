/**
 * Unsaved edits kept in the browser, so that they outlive the page.
 *
 * Each is kept under the session that has made it, since a server knows by the session whether a push has happened. A
 * session has one page at a time: the page that holds its lock. Browsers have locks on https and on localhost only;
 * elsewhere a session is taken from a page that has not been heard of for long.
 */
import type { Draft } from "./replica.js";
/** Keeps the unsaved edits of one codespace; one for each connection. */
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
}
/** Return a session: random 128 bits as base64url. */
export declare function newSession(): string;
/** Keep nothing. */
export declare function noDrafts(): DraftStore;
/**
 * Keep unsaved edits in the browser's local storage, under a name that stands for the codespace.
 *
 * Where there is no storage, or no room in it, nothing is kept.
 */
export declare function localDrafts(name: string): DraftStore;
