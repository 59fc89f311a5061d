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

import { Compartment, Transaction } from "@codemirror/state";
import { EditorView } from "@codemirror/view";

import { socketAddress } from "./address.js";
import { Connection } from "./connection.js";
import { peerCursors, peerSelected, peersPresent } from "./cursors.js";
import { localDrafts } from "./drafts.js";
import type { ConnectionOptions } from "./options.js";
import type { SelectedRange } from "./protocol.js";
import { placing } from "./screen.js";

export { Connection } from "./connection.js";
export { COLORS, type PresentPeer } from "./colors.js";
export { localDrafts, newSession, noDrafts, type Aside, type DraftStore } from "./drafts.js";
export { plainName } from "./names.js";
export type { ConnectionHooks, ConnectionOptions } from "./options.js";
export type { Limits, Mode, Peer, SelectedRange, Storage } from "./protocol.js";
export type { Refusal } from "./refusals.js";
export type { Draft } from "./draft.js";
export type { Editor } from "./screen.js";
export type { Status } from "./status.js";

/** Keys that do nothing by themselves. */
const MODIFIERS: ReadonlySet<string> = new Set(["Alt", "AltGraph", "CapsLock", "Control", "Meta", "Shift"]);

/** The connection that each view has, or had last. */
const connections = new WeakMap<EditorView, Connection>();
/** The place of a connection's extension in a view. */
const place = new Compartment();

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
export function connect(view: EditorView, url: string | URL, options: ConnectionOptions = {}): Connection {
  const address = socketAddress(url);
  if ((connections.get(view)?.status.state ?? "closed") !== "closed") {
    throw new Error("this editor is connected already; close() that connection before you connect it again");
  }
  // What others have selected since the last frame of the screen: shown in one transaction.
  const selections = new Map<string, readonly SelectedRange[]>();
  let frame: number | undefined;
  const showSelections = (): void => {
    frame = undefined;
    const effects = Array.from(selections, ([id, ranges]) => peerSelected.of({ id, ranges }));
    selections.clear();
    view.dispatch({ effects });
  };
  const connection: Connection = new Connection(view, address, {
    drafts: localDrafts(address.pathname),
    isHidden: true,
    ...options,
    onPeers(peers) {
      view.dispatch({ effects: peersPresent.of(peers) });
      options.onPeers?.(peers);
    },
    onSelection(id, ranges) {
      selections.set(id, ranges);
      frame ??= requestAnimationFrame(showSelections);
      options.onSelection?.(id, ranges);
    },
  });
  connections.set(view, connection);
  const listener = EditorView.updateListener.of((update) => {
    if (update.docChanged) {
      const moved = ([anchor, head]: SelectedRange): SelectedRange => [
        update.changes.mapPos(anchor),
        update.changes.mapPos(head),
      ];
      for (const [id, ranges] of selections) selections.set(id, ranges.map(moved));
    }
    const local = update.transactions.some((each) => each.docChanged && !each.annotation(Transaction.remote));
    if (local) connection.appear();
    if (local || update.selectionSet || update.focusChanged) connection.changed();
  });
  // Once the key or the click has moved the cursor to where the user wants it.
  const appear = (): void => void setTimeout(() => connection.appear());
  const first = EditorView.domEventObservers({
    keydown: ({ key }) => MODIFIERS.has(key) || appear(),
    pointerdown: appear,
  });
  for (const effects of placing(place, view.state, [peerCursors(), listener, first])) view.dispatch({ effects });
  return connection;
}
