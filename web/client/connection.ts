/**
 * What keeps an editor connected to a codespace: one WebSocket after the other, with pauses between, until that is of
 * no use.
 */

import { Palette, type PresentPeer } from "./colors.js";
import { noDrafts, type DraftStore } from "./drafts.js";
import {
  mayComeBack,
  NAME_LENGTH,
  parseFrame,
  SUBPROTOCOL,
  type ClientFrame,
  type Mode,
  type Peer,
  type SelectedRange,
  type ServerFrame,
  type Storage,
} from "./protocol.js";
import { MadeAnew, OutOfStep, Replica, type Editor, type Refusal } from "./replica.js";

/** How it stands with a connection. */
export interface Status {
  /** `connecting` for the first time; `reconnecting` after that; `closed` for good, or by `close`. */
  readonly state: "connecting" | "connected" | "reconnecting" | "closed";
  readonly mode: Mode;
  /** Whether the server can store edits; while it cannot, they wait. */
  readonly storage: Storage;
  /** Edits that are not known to be committed. */
  readonly unsaved: number;
  /** Whether those would outlive this page. */
  readonly kept: boolean;
  /** When the next attempt is made, in milliseconds since 1970, while there is a pause before it. */
  readonly retryAt: number | null;
  /** Why the last connection has ended, with the code of the protocol; null before that and while connected. */
  readonly ended: { readonly code: number; readonly reason: string } | null;
}

/** What a connection tells; each is called after what it tells of has been done. */
export interface ConnectionHooks {
  onStatus?(status: Status): void;
  /** The others who are here. */
  onPeers?(peers: readonly PresentPeer[]): void;
  /** Edits were refused and taken back; `refusal.inserted` has their text, so that it can be offered again. */
  onRefused?(refusal: Refusal): void;
  /** Somebody has selected something else, in the text on the screen. */
  onSelection?(id: string, ranges: readonly SelectedRange[]): void;
}

export interface ConnectionOptions extends ConnectionHooks {
  /** What the others are told of who this is. */
  readonly name?: string;
  /** Where unsaved edits are kept; if not given, nowhere. */
  readonly drafts?: DraftStore;
  /** For where there is no `WebSocket`, as in older versions of Node. */
  readonly WebSocket?: typeof WebSocket;
}

/** Milliseconds from dialling to the welcome. */
const WELCOME_MS = 15_000;
/** Milliseconds before the next attempt: at first and, doubled each time, at most; less up to a half by chance. */
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 10_000;
/** Milliseconds that a connection has to last for the next pause to be a first one. */
const SETTLED_MS = 1000;
/** Milliseconds without a word while a push waits for its answer, after which the connection counts as lost. */
const UNANSWERED_MS = 10_000;
/** Milliseconds between two writings of what is unsaved. */
const KEEP_MS = 300;
/** Milliseconds in which those who come and go are told together. */
const PEERS_MS = 20;
/** A connection that ended without the server's saying so. */
const LOST = 1006;

/** What a server says when a codespace has expired; and the reason where the server does not know that there was one. */
const GONE = 4410;
const MADE_ANEW =
  "this codespace has expired, and another one has begun at its address; its text is still on this screen";

/** Return the WebSocket address of a codespace, from that or the http one. */
function socketAddress(url: string | URL): URL {
  const base = typeof document === "undefined" ? undefined : document.baseURI;
  const address = new URL(url, base);
  address.protocol = address.protocol.replace(/^http/, "ws");
  if (!/^wss?:$/.test(address.protocol)) throw new TypeError(`${address.protocol} is no protocol of a codespace`);
  address.hash = "";
  return address;
}

/** Keeps one editor connected to one codespace. It begins at once and ends with `close`. */
export class Connection {
  readonly #replica: Replica;
  readonly #address: URL;
  readonly #hooks: ConnectionHooks;
  readonly #drafts: DraftStore;
  readonly #WebSocket: typeof WebSocket;
  #name: string;
  #session = "";
  #socket: WebSocket | null = null;
  #state: Status["state"] = "connecting";
  #storage: Storage = "ok";
  #ended: Status["ended"] = null;
  #retryAt: number | null = null;
  #kept = true;
  /** Connections that came as far as the welcome, and when the last one did. */
  #welcomes = 0;
  #welcomedAt = 0;
  #pauseMs = FIRST_PAUSE_MS;
  /** Ends the pause, the wait for a welcome, or the wait for an answer. */
  #timer: ReturnType<typeof setTimeout> | undefined;
  #keepTimer: ReturnType<typeof setTimeout> | undefined;
  #selectTimer: ReturnType<typeof setTimeout> | undefined;
  #peersTimer: ReturnType<typeof setTimeout> | undefined;
  #peers = new Map<string, Peer>();
  readonly #palette = new Palette();

  constructor(editor: Editor, url: string | URL, options: ConnectionOptions = {}) {
    this.#address = socketAddress(url);
    this.#hooks = options;
    this.#drafts = options.drafts ?? noDrafts();
    this.#WebSocket = options.WebSocket ?? WebSocket;
    this.#name = (options.name ?? "").slice(0, NAME_LENGTH);
    this.#replica = new Replica(editor, {
      onRefused: (refusal) => this.#hooks.onRefused?.(refusal),
      onSelection: (id, ranges) => this.#peers.has(id) && this.#hooks.onSelection?.(id, ranges),
    });
    if (typeof document !== "undefined") {
      addEventListener("online", this.#onHint);
      addEventListener("pagehide", this.#onHide);
      document.addEventListener("visibilitychange", this.#onHint);
    }
    void this.#begin();
  }

  get status(): Status {
    return {
      state: this.#state,
      mode: this.#replica.mode,
      storage: this.#storage,
      unsaved: this.#replica.unconfirmed,
      kept: this.#kept,
      retryAt: this.#retryAt,
      ended: this.#ended,
    };
  }

  /** The others who are here. */
  get peers(): readonly PresentPeer[] {
    return [...this.#peers.values()].map((peer) => ({ ...peer, color: this.#palette.of(peer.id) }));
  }

  /** One's own colour, as the number of one of `COLORS`. */
  get color(): number {
    return this.#palette.of(this.id);
  }

  /** This client's public id; empty before it was connected. */
  get id(): string {
    return this.#replica.id;
  }

  /** What the others are told of who this is; they are told at once, by connecting anew. */
  get name(): string {
    return this.#name;
  }

  set name(name: string) {
    const short = name.slice(0, NAME_LENGTH);
    if (short === this.#name) return;
    this.#name = short;
    this.#cut(LOST, "the name has changed");
  }

  /** Let a pause end now. */
  retry(): void {
    if (this.#retryAt !== null) this.#dial();
  }

  /** Tell that the editor's text or selection has changed by its user. */
  changed(): void {
    this.#replica.selected();
    this.#send();
    this.#keepSoon();
  }

  /** Leave the codespace. What is unsaved stays kept; the editor cannot be typed into any more. */
  close(): void {
    this.#end({ code: 1000, reason: "left" });
  }

  async #begin(): Promise<void> {
    const { session, draft } = await this.#drafts.take();
    // Closed meanwhile.
    if (this.#state === "closed") return this.#drafts.release();
    this.#session = session;
    if (draft !== null) {
      try {
        this.#replica.restore(draft);
        this.#state = "reconnecting";
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        // It was not written by this program.
        this.#drafts.keep(null);
      }
    }
    this.#dial();
  }

  readonly #onHint = (): void => {
    if (document.visibilityState === "hidden") this.#onHide();
    else this.retry();
  };

  readonly #onHide = (): void => {
    this.#keep();
  };

  #dial(): void {
    clearTimeout(this.#timer);
    this.#retryAt = null;
    const url = new URL(this.#address);
    url.searchParams.set("session", this.#session);
    url.searchParams.set("name", this.#name);
    const point = this.#replica.resumePoint;
    if (point !== null) {
      url.searchParams.set("epoch", point.epoch);
      url.searchParams.set("version", String(point.version));
    }
    const socket = (this.#socket = new this.#WebSocket(url, SUBPROTOCOL));
    socket.onmessage = ({ data }) => socket === this.#socket && this.#onMessage(data);
    socket.onclose = ({ code, reason }) => socket === this.#socket && this.#onClose(code, reason);
    this.#timer = setTimeout(() => this.#cut(LOST, "the server does not answer"), WELCOME_MS);
    this.#told();
  }

  #onMessage(data: unknown): void {
    let frame: ServerFrame | null;
    try {
      frame = parseFrame(data);
    } catch {
      return this.#end({ code: 4400, reason: "the server speaks another protocol" });
    }
    try {
      if (frame !== null) this.#onFrame(frame);
    } catch (error) {
      if (error instanceof MadeAnew) return this.#end({ code: GONE, reason: MADE_ANEW });
      if (!(error instanceof OutOfStep)) throw error;
      return this.#cut(LOST, error.message);
    }
    if (this.#replica.mustFetch) return this.#cut(LOST, "an edit was refused");
    this.#watch();
    this.#send();
    this.#keepSoon();
    this.#told();
  }

  #onFrame(frame: ServerFrame): void {
    switch (frame.type) {
      case "welcome":
        this.#replica.resume(frame);
        this.#welcomes++;
        this.#welcomedAt = Date.now();
        this.#state = "connected";
        this.#ended = null;
        this.#storage = "ok";
        this.#setPeers(frame.peers);
        break;
      case "updates":
        this.#replica.receive(frame);
        break;
      case "refused":
        this.#replica.refuse(frame);
        break;
      case "select":
        this.#replica.select(frame.id, frame.version, frame.ranges);
        break;
      case "peer":
        this.#peers.delete(frame.id);
        if (frame.id !== this.id) this.#peers.set(frame.id, { id: frame.id, name: frame.name, mode: frame.mode });
        this.#peersSoon();
        break;
      case "gone":
        this.#peers.delete(frame.id);
        this.#peersSoon();
        break;
      case "status":
        this.#storage = frame.storage;
    }
  }

  #onClose(code: number, reason: string): void {
    if (mayComeBack(code)) this.#pause(code, reason);
    else this.#end({ code, reason });
  }

  /** Lose the connection, without waiting for the server to agree, and come back. */
  #cut(code: number, reason: string): void {
    if (this.#socket === null) return;
    this.#pause(code, reason);
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close(1000);
    clearTimeout(this.#timer);
    clearTimeout(this.#selectTimer);
    this.#selectTimer = undefined;
    this.#setPeers([]);
  }

  #pause(code: number, reason: string): void {
    const settled = this.#state === "connected" && Date.now() - this.#welcomedAt >= SETTLED_MS;
    this.#drop();
    if (settled) this.#pauseMs = FIRST_PAUSE_MS;
    const milliseconds = this.#pauseMs * (1 - Math.random() / 2);
    this.#pauseMs = Math.min(2 * this.#pauseMs, LONGEST_PAUSE_MS);
    this.#state = this.#welcomes > 0 || this.#replica.begun ? "reconnecting" : "connecting";
    this.#ended = { code, reason };
    this.#retryAt = Date.now() + milliseconds;
    this.#timer = setTimeout(() => this.#dial(), milliseconds);
    this.#told();
  }

  #end(ended: { code: number; reason: string }): void {
    if (this.#state === "closed") return;
    this.#keep();
    this.#drop();
    clearTimeout(this.#keepTimer);
    this.#retryAt = null;
    this.#state = "closed";
    this.#ended = ended;
    this.#replica.close();
    this.#drafts.release();
    if (typeof document !== "undefined") {
      removeEventListener("online", this.#onHint);
      removeEventListener("pagehide", this.#onHide);
      document.removeEventListener("visibilitychange", this.#onHint);
    }
    this.#told();
  }

  #send(): void {
    const socket = this.#socket;
    if (socket === null || this.#state !== "connected") return;
    const push = this.#replica.nextPush();
    if (push !== null) {
      this.#sendFrame(socket, push);
      this.#watch();
    }
    if (this.#selectTimer === undefined) {
      const select = this.#replica.nextSelect();
      if (select !== null) {
        this.#sendFrame(socket, select);
        this.#selectTimer = setTimeout(() => {
          this.#selectTimer = undefined;
          this.#send();
        }, this.#replica.limits?.presence_ms ?? 0);
      }
    }
  }

  #sendFrame(socket: WebSocket, frame: ClientFrame): void {
    if (socket.readyState === this.#WebSocket.OPEN) socket.send(JSON.stringify(frame));
  }

  /** Take a connection that says nothing while a push waits for its answer as lost. */
  #watch(): void {
    clearTimeout(this.#timer);
    if (this.#state !== "connected" || this.#storage === "down" || this.#replica.unconfirmed === 0) return;
    this.#timer = setTimeout(() => this.#cut(LOST, "the server does not answer"), UNANSWERED_MS);
  }

  #setPeers(peers: readonly Peer[]): void {
    this.#peers = new Map(peers.map(({ id, name, mode }) => [id, { id, name, mode }]));
    this.#peers.delete(this.id);
    this.#tellPeers();
  }

  /** Tell of those who come and go within a moment together: a class arrives at once. */
  #peersSoon(): void {
    this.#peersTimer ??= setTimeout(() => this.#tellPeers(), PEERS_MS);
  }

  #tellPeers(): void {
    clearTimeout(this.#peersTimer);
    this.#peersTimer = undefined;
    this.#palette.assign([this.id, ...this.#peers.keys()]);
    this.#hooks.onPeers?.(this.peers);
  }

  #keepSoon(): void {
    this.#keepTimer ??= setTimeout(() => this.#keep(), KEEP_MS);
    this.#told();
  }

  #keep(): void {
    clearTimeout(this.#keepTimer);
    this.#keepTimer = undefined;
    if (this.#session === "" || this.#state === "closed") return;
    const kept = this.#drafts.keep(this.#replica.draft());
    if (kept !== this.#kept) {
      this.#kept = kept;
      this.#told();
    }
  }

  #told(): void {
    this.#hooks.onStatus?.(this.status);
  }
}
