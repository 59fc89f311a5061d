/**
 * The browser's local storage as a place for unsaved edits.
 *
 * Each draft is kept under the session that has made it, since a server knows by the session whether a push has happened.
 * A session has one page at a time: the page that holds its lock. Browsers have locks on https and on localhost only;
 * elsewhere a session is taken from a page that has not been heard of for long.
 */
import type { Aside, DraftStore } from "./drafts.js";
import type { Mode } from "./protocol.js";
import type { Draft } from "./draft.js";
export declare class LocalDrafts implements DraftStore {
    #private;
    constructor(address: string, newSession: () => string);
    take(): Promise<{
        session: string;
        draft: Draft | null;
    }>;
    keep(draft: Draft | null): boolean;
    tidy(): void;
    release(): void;
    named(codespace: string, mode: Mode): Promise<void>;
    next(): Promise<DraftStore | null>;
    setAside(reason: string, text: string, isOnScreen: boolean): boolean;
    asides(): readonly Aside[];
}
