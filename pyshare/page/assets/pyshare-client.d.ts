/**
 * Connect an editor built on CodeMirror 6 to a codespace of a pyshare server.
 *
 * ```js
 * import { EditorView, basicSetup } from "codemirror";
 * import { connect } from "pyshare";
 *
 * const view = new EditorView({ extensions: [basicSetup], parent: document.body });
 * const connection = connect(view, "wss://example.org/codespace/TOKEN/", { name: "Ada" });
 * ```
 */
import { EditorView } from "@codemirror/view";
import { Connection } from "./pyshare-client/connection.js";
import type { ConnectionOptions } from "./pyshare-client/options.js";
export { Connection } from "./pyshare-client/connection.js";
export { COLORS, type PresentPeer } from "./pyshare-client/colors.js";
export { localDrafts, newSession, noDrafts, type Aside, type DraftStore } from "./pyshare-client/drafts.js";
export { plainName } from "./pyshare-client/names.js";
export type { ConnectionHooks, ConnectionOptions } from "./pyshare-client/options.js";
export type { Limits, Mode, Peer, SelectedRange, Storage } from "./pyshare-client/protocol.js";
export type { Refusal } from "./pyshare-client/refusals.js";
export type { Draft } from "./pyshare-client/draft.js";
export type { Editor } from "./pyshare-client/screen.js";
export type { Status } from "./pyshare-client/status.js";
/**
 * Keep the text of `view` that of a codespace, and show who else is there.
 *
 * `url` is the codespace's address: `ws:`, `wss:`, `http:` or `https:`, or relative to the page. The view's text gives
 * way to the codespace's; until that is there, and whenever one may only look, the editor is read-only. The connection
 * comes back by itself when it is lost, sends what was typed meanwhile, and ends with `close()`, for good. Unsaved edits
 * outlive the page, unless `drafts` says otherwise. Several connections of one view are not possible.
 *
 * @throws TypeError if `url` is no such address.
 */
export declare function connect(view: EditorView, url: string | URL, options?: ConnectionOptions): Connection;
