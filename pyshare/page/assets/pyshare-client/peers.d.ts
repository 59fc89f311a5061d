/** The selections of others in an editor's text, as a field of its state: they move with the text. */
import { StateField } from "@codemirror/state";
import type { PresentPeer } from "./colors.js";
import type { SelectedRange } from "./protocol.js";
export interface ShownPeer {
    readonly name: string;
    /** Which of `COLORS`. */
    readonly color: number;
    readonly ranges: readonly SelectedRange[];
    /** Counts what its owner has done here; what was so before this editor came does not count. */
    readonly moves: number;
}
/** A peer has selected something else. */
export declare const peerSelected: import("@codemirror/state").StateEffectType<{
    readonly id: string;
    readonly ranges: readonly SelectedRange[];
}>;
/** These are here, and nobody else. */
export declare const peersPresent: import("@codemirror/state").StateEffectType<readonly PresentPeer[]>;
export declare const shownPeers: StateField<ReadonlyMap<string, ShownPeer>>;
