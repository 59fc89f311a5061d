/** The others in a codespace, each with a colour; comings and goings of one moment are told together. */

import { Palette, type PresentPeer } from "./colors.js";
import { plainName } from "./names.js";
import type { Peer } from "./protocol.js";

/** Milliseconds in which comings and goings are told together: a class arrives at once. */
const TOGETHER_MS = 20;

export class Presence {
  readonly #onPeers: (peers: readonly PresentPeer[]) => void;
  readonly #palette = new Palette();
  /** This client's own id, and everybody else by theirs. */
  #id = "";
  #peers = new Map<string, Peer>();
  /** Ids of those who were in the list of the welcome. */
  #found: ReadonlySet<string> = new Set();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(onPeers: (peers: readonly PresentPeer[]) => void) {
    this.#onPeers = onPeers;
  }

  get all(): readonly PresentPeer[] {
    const present = (peer: Peer): PresentPeer => {
      return { ...peer, color: this.#palette.of(peer.id), wasHere: this.#found.has(peer.id) };
    };
    return [...this.#peers.values()].map(present);
  }

  /** The number of this client's own colour. */
  get ownColor(): number {
    return this.#palette.of(this.#id);
  }

  has(id: string): boolean {
    return this.#peers.has(id);
  }

  /** Take the list of a welcome to the client `id`, and tell at once; an empty list: the connection is gone. */
  set(id: string, peers: readonly Peer[]): void {
    this.#id = id;
    this.#peers = new Map(peers.map((peer) => [peer.id, known(peer)]));
    this.#peers.delete(id);
    this.#found = new Set(this.#peers.keys());
    this.#tell();
  }

  add(peer: Peer): void {
    this.#peers.delete(peer.id);
    if (peer.id !== this.#id) this.#peers.set(peer.id, known(peer));
    this.#tellSoon();
  }

  remove(id: string): void {
    this.#peers.delete(id);
    this.#tellSoon();
  }

  #tellSoon(): void {
    this.#timer ??= setTimeout(() => this.#tell(), TOGETHER_MS);
  }

  #tell(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#palette.assign([this.#id, ...this.#peers.keys()]);
    this.#onPeers(this.all);
  }
}

/** Return what is known of somebody: fields of later protocols are left out, and a name is only a name. */
function known({ id, name, mode }: Peer): Peer {
  return { id, name: plainName(name), mode };
}
