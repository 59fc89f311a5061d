/** The carets and selections of others in an editor, each in a colour; `flags.ts` has the names. */
import { type Extension } from "@codemirror/state";
export { peerSelected, peersPresent } from "./peers.js";
/** Show the others; `peerSelected` and `peersPresent` say where and who. */
export declare function peerCursors(): Extension;
