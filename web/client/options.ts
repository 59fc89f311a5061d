/** The options of a connection, and its hooks. */

import type { PresentPeer } from "./colors.js";
import type { DraftStore } from "./drafts.js";
import type { SelectedRange } from "./protocol.js";
import type { Refusal } from "./refusals.js";
import type { Status } from "./status.js";

/** What a connection tells; each is called after what it tells of has been done. */
export interface ConnectionHooks {
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

export interface ConnectionOptions extends ConnectionHooks {
  /** What the others are told of who this is. */
  readonly name?: string;
  /** Whether the others see no cursor of this client before `appear` is called, as at its first key or click. */
  readonly isHidden?: boolean;
  /** Store of unsaved edits; `connect` takes the browser's local storage if none is given, `Connection` keeps nothing. */
  readonly drafts?: DraftStore;
  /** For where there is no `WebSocket`, as in older versions of Node. */
  readonly WebSocket?: typeof WebSocket;
}
