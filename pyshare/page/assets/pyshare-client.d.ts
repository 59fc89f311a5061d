/**
 * Connect an editor built on CodeMirror 6 to a codespace of a pyshare server.
 *
 * ```js
 * import { EditorView, basicSetup } from "codemirror";
 * import { connect } from "pyshare-client";
 *
 * const view = new EditorView({ extensions: [basicSetup], parent: document.body });
 * const connection = connect(view, "wss://example.org/codespace/TOKEN/", { name: "Ada" });
 * ```
 */

import type { EditorState, Transaction } from "@codemirror/state";
import type { EditorView } from "@codemirror/view";

/** What a replica needs of an editor; an `EditorView` is one. */
interface Editor {
    readonly state: EditorState;
    dispatch(transactions: readonly Transaction[]): void;
}

/** Whether a client may change the text. */
type Mode = "edit" | "view_only";

/** Whether edits are being committed. */
type Storage = "ok" | "down";

interface Status {
    /** `connecting` for the first time; `reconnecting` after that; `closed` for good, or by `close`. */
    readonly state: "connecting" | "connected" | "reconnecting" | "closed";
    readonly mode: Mode;
    /** Whether the server can store edits; while it cannot, they wait. */
    readonly storage: Storage;
    /** Reason why it cannot, as the server says it; null while it can, and where the server says none. */
    readonly storageReason: string | null;
    /** Edits that are not known to be committed. */
    readonly unsaved: number;
    /** Whether those would outlive this page. */
    readonly kept: boolean;
    /** Time of the last word of the server, in milliseconds since 1970; null before the first word. */
    readonly heardAt: number | null;
    /** Time until which a server that is well may be silent since then; null: for ever, or nobody knows yet. */
    readonly silentAt: number | null;
    /** Whether the browser says that there is no network; a server on this machine may be heard all the same. */
    readonly offline: boolean;
    /** Time of a question that the server has not answered, in milliseconds since 1970: nothing is certain since then. */
    readonly askedAt: number | null;
    /** Time since which a push waits for its answer, in milliseconds since 1970; null while none does. */
    readonly waitingSince: number | null;
    /** Time of the next attempt, in milliseconds since 1970, during a pause. */
    readonly retryAt: number | null;
    /** Reason for the end of the last connection, with the protocol's code; null before that and while connected. */
    readonly ended: {
        readonly code: number;
        readonly reason: string;
    } | null;
}

/** Somebody who is here. */
interface Peer {
    readonly id: string;
    readonly name: string;
    readonly mode: Mode;
}

/** Somebody who is here, with the number of a colour in `COLORS`. */
interface PresentPeer extends Peer {
    readonly color: number;
    /** Whether they were here when this client came. */
    readonly wasHere: boolean;
}

/** Edits that were refused, and that are taken back. */
interface Refusal {
    /**
     * As the protocol has it; `too_large`, `invalid` and `stray` if the server was not asked; `set_aside` for a text that an
     * earlier page kept.
     */
    readonly code: string;
    /** Reason and advice, to stand after a colon. */
    readonly reason: string;
    /** Text that the edits had inserted. */
    readonly inserted: string;
    /** Let a text that an earlier page kept be offered no more. */
    readonly forget?: () => void;
}

/** A selection: where it began, and where its cursor is. */
type SelectedRange = readonly [anchor: number, head: number];

/** What a connection tells; each is called after what it tells of has been done. */
interface ConnectionHooks {
    onStatus?(status: Status): void;
    /** The others who are here. */
    onPeers?(peers: readonly PresentPeer[]): void;
    /** The language for all is `name` now; `id` chose it, or somebody did before this client came, if `id` is empty. */
    onLanguage?(name: string, id: string): void;
    /** Edits were refused and taken back; `refusal.inserted` has their text, so that it can be offered again. */
    onRefused?(refusal: Refusal): void;
    /** Somebody has selected something else, in the text on the screen. */
    onSelection?(id: string, ranges: readonly SelectedRange[]): void;
}

interface Draft {
    readonly epoch: string;
    readonly version: number;
    /** A committed text; the same string as in the draft before, as long as it can be. */
    readonly base: string;
    /** Changes from `base` to the committed text as of `version`, as `ChangeSet.toJSON()`; null or absent: none. */
    readonly since?: unknown;
    /**
     * Edits on top of the committed text, as `ChangeSet.toJSON()`; the first `inFlight.count` of them are that push. A long
     * one is the same object as in the draft before, as long as it can be.
     */
    readonly changes: readonly unknown[];
    /** `isPart`: the push is the beginning of an edit that goes on in the next one of `changes`. */
    readonly inFlight: {
        readonly seq: number;
        readonly count: number;
        readonly isPart?: boolean;
    } | null;
    /** Number of the last push. */
    readonly seq: number;
}

/** A text that an earlier page could not send. */
interface Aside {
    readonly reason: string;
    readonly text: string;
    forget(): void;
}

/** Keeps the unsaved edits of one codespace; one for each connection. What is optional may be left out. */
interface DraftStore {
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

interface ConnectionOptions extends ConnectionHooks {
    /** What the others are told of who this is. */
    readonly name?: string;
    /** Whether the others see no cursor of this client before `appear` is called, as at its first key or click. */
    readonly isHidden?: boolean;
    /** Store of unsaved edits; `connect` takes the browser's local storage if none is given, `Connection` keeps nothing. */
    readonly drafts?: DraftStore;
    /** For where there is no `WebSocket`, as in older versions of Node. */
    readonly WebSocket?: typeof WebSocket;
}

/** Keeps one editor connected to one codespace. It begins at once and ends with `close`. */
declare class Connection {
    #private;
    constructor(editor: Editor, url: string | URL, options?: ConnectionOptions);
    get status(): Status;
    /** The others who are here. */
    get peers(): readonly PresentPeer[];
    /** One's own colour, as the number of one of `COLORS`. */
    get color(): number;
    /** This client's public id; empty before it was connected. */
    get id(): string;
    /** What the others are told of who this is; they are told at once, by connecting anew. */
    get name(): string;
    set name(name: string);
    /** The language for all, as a name of `a-z`, `0-9`, `+`, `#` and `-`; setting it tells all. Empty: none was chosen. */
    get language(): string;
    set language(name: string);
    /** Let a pause end now. */
    retry(): void;
    /** Tell that the editor's text or selection has changed by its user. */
    changed(): void;
    /** Show the others where one's cursor is, from now on. */
    appear(): void;
    /** Leave the codespace. What is unsaved stays kept; the editor cannot be typed into any more. */
    close(): void;
}

/**
 * The colours of clients: a line or a name on it, and the same for dark backgrounds. White on the first and black on
 * the second have a contrast of 4.5 or more (WCAG 2.2, 1.4.3).
 */
declare const COLORS: readonly {
    readonly light: string;
    readonly dark: string;
}[];

/**
 * Keep unsaved edits in the browser's local storage, under the codespace's name.
 *
 * `address` stands for the codespace until a server has told its name. Where there is no storage, or no room in it,
 * nothing is kept.
 */
declare function localDrafts(address: string): DraftStore;

/** Return a session: random 128 bits as base64url. */
declare function newSession(): string;

/** Keep nothing. */
declare function noDrafts(): DraftStore;

/** Return a name as it can be shown on one line; empty if nothing of it would be seen. */
declare function plainName(name: string): string;

/** What the server holds a client to. Texts are counted in UTF-16 code units. */
interface Limits {
    readonly message_bytes: number;
    readonly text_units: number;
    readonly clients: number;
    readonly pushes_per_second: number;
    readonly history_updates: number;
    readonly presence_ms: number;
    /** Of one push; older servers do not say. */
    readonly push_updates?: number;
    readonly push_sections?: number;
    /** Milliseconds without another frame after which the server gives a sign of life; older servers give none. */
    readonly alive_ms?: number;
}

/**
 * Keep the text of `view` that of a codespace, and show who else is there.
 *
 * `url` is the codespace's address: `ws:`, `wss:`, `http:` or `https:`, or relative to the page; or a link to the page
 * of a pyshare server. The view's text gives way to the codespace's; until that is there, and whenever one may only look, the editor is read-only. The connection
 * comes back by itself when it is lost, sends what was typed meanwhile, and ends with `close()`, for good. Unsaved edits
 * outlive the page, unless `drafts` says otherwise.
 *
 * @throws TypeError if `url` is not such an address.
 * @throws Error if the view has a connection that is not closed: two would send each edit twice.
 */
declare function connect(view: EditorView, url: string | URL, options?: ConnectionOptions): Connection;

export { Aside, COLORS, Connection, ConnectionHooks, ConnectionOptions, Draft, DraftStore, Editor, Limits, Mode, Peer, PresentPeer, Refusal, SelectedRange, Status, Storage, connect, localDrafts, newSession, noDrafts, plainName };
