/**
 * The cursors and selections of others in an editor, each with a name and a colour.
 *
 * They move with the text. A name shows for a moment when its cursor has moved, and while the pointer is on it.
 */
import { type Extension } from "@codemirror/state";
import { type PresentPeer } from "./colors.js";
import type { SelectedRange } from "./protocol.js";
/** A peer has selected something else. */
export declare const peerSelected: import("@codemirror/state").StateEffectType<{
    readonly id: string;
    readonly ranges: readonly SelectedRange[];
}>;
/** These are here, and nobody else. */
export declare const peersPresent: import("@codemirror/state").StateEffectType<readonly PresentPeer[]>;
/** Show the cursors of others; `peerSelected` and `peersPresent` say where and who. */
export declare function peerCursors(): Extension;
