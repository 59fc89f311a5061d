/**
 * The frames of `pyshare.v1` and the codes with which a server ends a connection.
 *
 * docs/protocol.md has the whole of it. What a server sends may have grown fields since.
 */
/** The WebSocket subprotocol that a client offers. */
export declare const SUBPROTOCOL = "pyshare.v1";
/** Whether a client may change the text. */
export type Mode = "edit" | "view_only";
/** Whether edits are being committed. */
export type Storage = "ok" | "down";
/** Somebody who is here. */
export interface Peer {
    readonly id: string;
    readonly name: string;
    readonly mode: Mode;
}
/** What the server holds a client to. Texts are counted in UTF-16 code units. */
export interface Limits {
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
/** One committed change set; `changes` is `ChangeSet.toJSON()`. */
export interface CommittedUpdate {
    readonly sender: string;
    readonly seq: number;
    readonly changes: unknown;
}
/** The first frame: who one is, and the text, or what was missed since the version that one came with. */
export interface Welcome {
    readonly type: "welcome";
    readonly id: string;
    readonly mode: Mode;
    readonly epoch: string;
    readonly version: number;
    readonly acked: number;
    readonly peers: readonly Peer[];
    readonly limits: Limits;
    /** A mark of the codespace, the same for all its links; older servers do not tell it. */
    readonly codespace?: string;
    /** Epochs that this one continues, the newest first; older servers do not tell them. */
    readonly before?: readonly string[];
    /** What was chosen for all; empty: nothing was; older servers take no choice. */
    readonly language?: string;
    readonly text?: string;
    readonly updates?: readonly CommittedUpdate[];
}
/** Committed updates; `version` is that after the last of them. */
export interface UpdatesFrame {
    readonly type: "updates";
    readonly version: number;
    readonly updates: readonly CommittedUpdate[];
}
/** A push that has not happened and never will. */
export interface RefusedFrame {
    readonly type: "refused";
    readonly seq: number;
    readonly code: string;
    readonly reason: string;
}
/** A selection: where it began, and where its cursor is. */
export type SelectedRange = readonly [anchor: number, head: number];
/** What somebody has selected in the text of `version`. */
export interface PeerSelectFrame {
    readonly type: "select";
    readonly id: string;
    readonly version: number;
    readonly ranges: readonly SelectedRange[];
}
export interface PeerFrame extends Peer {
    readonly type: "peer";
}
export interface GoneFrame {
    readonly type: "gone";
    readonly id: string;
}
export interface StatusFrame {
    readonly type: "status";
    readonly storage: Storage;
    /** Reason for `down`, in words for people. */
    readonly reason?: string;
}
/** The language that somebody has chosen for all. */
export interface PeerLanguageFrame {
    readonly type: "language";
    readonly id: string;
    readonly name: string;
}
/** A sign of life; `received` counts the bytes that the server has received on this connection. */
export interface AliveFrame {
    readonly type: "alive";
    readonly received: number;
}
export type ServerFrame = Welcome | UpdatesFrame | RefusedFrame | PeerSelectFrame | PeerFrame | GoneFrame | StatusFrame | AliveFrame | PeerLanguageFrame;
/** Unconfirmed updates, each after the one before. One push is in flight at a time; `seq` counts up from 1. */
export interface PushFrame {
    readonly type: "push";
    readonly seq: number;
    readonly version: number;
    readonly updates: readonly unknown[];
}
/** One's own cursors and selections in the text of `version`. */
export interface SelectFrame {
    readonly type: "select";
    readonly version: number;
    readonly ranges: readonly SelectedRange[];
}
/** A question for a sign of life. */
export interface AskFrame {
    readonly type: "alive";
}
/** A choice of the language for all. */
export interface LanguageFrame {
    readonly type: "language";
    readonly name: string;
}
export type ClientFrame = PushFrame | SelectFrame | AskFrame | LanguageFrame;
/** Ranges that a selection may have. */
export declare const SELECTION_RANGES = 64;
/** Characters that a name may have. */
export declare const NAME_LENGTH = 64;
/** Close codes of servers that did not understand what was sent: the same is not sent again. */
export declare const NOT_UNDERSTOOD: ReadonlySet<number>;
/** Return whether a client whose connection ended with `code` should connect again by itself, after a pause. */
export declare function mayComeBack(code: number): boolean;
/**
 * Return the frame in a text; null for one of a type that is not known, which is passed over.
 *
 * @throws SyntaxError if the text is not a frame.
 */
export declare function parseFrame(text: string): ServerFrame | null;
