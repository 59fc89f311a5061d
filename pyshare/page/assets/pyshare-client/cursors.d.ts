/**
 * The cursors and selections of others in an editor, each with a name and a colour.
 *
 * They move with the text. A name shows for a moment when its cursor has moved, and while the pointer is on it.
 */
import { type Extension } from "@codemirror/state";
import type { Peer, SelectedRange } from "./protocol.js";
/**
 * The colours of clients: a line or a name on it, and the same for dark backgrounds. White on the first and black on
 * the second have a contrast of 4.5 or more (WCAG 2.2, 1.4.3).
 */
export declare const COLORS: readonly {
    readonly light: string;
    readonly dark: string;
}[];
/** Return which of `COLORS` a client has, by its public id: the same on every screen. */
export declare function colorOf(id: string): number;
/** A peer has selected something else. */
export declare const peerSelected: import("@codemirror/state").StateEffectType<{
    readonly id: string;
    readonly ranges: readonly SelectedRange[];
}>;
/** These are here, and nobody else. */
export declare const peersPresent: import("@codemirror/state").StateEffectType<readonly Peer[]>;
/** Show the cursors of others; `peerSelected` and `peersPresent` say where and who. */
export declare function peerCursors(): Extension;
