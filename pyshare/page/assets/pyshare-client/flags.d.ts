/**
 * The names of others beside their carets.
 *
 * A name shows while its owner does something and a moment after, and to those who point at the caret or, in the gutter,
 * at its row. It stands behind the text, so that it covers nothing.
 */
import type { Extension } from "@codemirror/state";
/** Show the names of those whom `shownPeers` has. */
export declare function peerFlags(): Extension;
