/** The connection of an editor to a codespace: one WebSocket after the other, as long as another one is of use. */

import type { PresentPeer } from "./colors.js";
import { joiningAddress, socketAddress } from "./address.js";
import { textIn, type Draft } from "./draft.js";
import { noDrafts, type DraftStore } from "./drafts.js";
import { hearHints } from "./hints.js";
import { SharedLanguage } from "./language.js";
import { Leftovers } from "./leftovers.js";
import { Liveness } from "./liveness.js";
import { Pauses } from "./pauses.js";
import { Pieces } from "./pieces.js";
import { Presence } from "./presence.js";
import {
  mayComeBack,
  NAME_LENGTH,
  NOT_UNDERSTOOD,
  parseFrame,
  SUBPROTOCOL,
  type ClientFrame,
  type Mode,
  type ServerFrame,
  type Storage,
} from "./protocol.js";
import type { ConnectionHooks, ConnectionOptions } from "./options.js";
import { ANOTHER_LIFE, unreadable, type Refusal } from "./refusals.js";
import { AnotherLife, OutOfStep, Replica } from "./replica.js";
import type { Editor } from "./screen.js";
import { isOffline, type Status } from "./status.js";

/** Milliseconds between two writings of what is unsaved, where it has only moved behind what others did. */
const KEEP_MS = 300;
/** A connection that ended without the server's saying so. */
const LOST = 1006;

/** What a server says when a codespace has expired. */
const GONE = 4410;

/** Keeps one editor connected to one codespace. It begins at once and ends with `close`. */
export class Connection {
  readonly #replica: Replica;
  readonly #address: URL;
  readonly #hooks: ConnectionHooks;
  readonly #drafts: DraftStore;
  readonly #WebSocket: typeof WebSocket;
  #name: string;
  /** Whether the others are shown no selection yet. */
  #isHidden: boolean;
  #session = "";
  #socket: WebSocket | null = null;
  #state: Status["state"] = "connecting";
  #storage: Storage = "ok";
  #storageReason: string | null = null;
  #ended: Status["ended"] = null;
  #retryAt: number | null = null;
  #kept = true;
  /** What was typed when the draft was written last. */
  #keptTyped: unknown = null;
  /** Connections that came as far as the welcome. */
  #welcomes = 0;
  readonly #pauses = new Pauses();
  /** What is known of the present connection: when it counts as lost, and the pieces of a frame that arrives. */
  #life = new Liveness(0);
  #pieces = new Pieces();
  #heardAt: number | null = null;
  #offline = isOffline();
  #waitingSince: number | null = null;
  /** Ends the pause, or looks whether the connection lives. */
  #timer: ReturnType<typeof setTimeout> | undefined;
  #keepTimer: ReturnType<typeof setTimeout> | undefined;
  #selectTimer: ReturnType<typeof setTimeout> | undefined;
  readonly #endHints: () => void;
  readonly #leftovers: Leftovers;
  readonly #presence = new Presence((peers) => this.#hooks.onPeers?.(peers));
  readonly #language = new SharedLanguage((name, id) => this.#hooks.onLanguage?.(name, id));

  constructor(editor: Editor, url: string | URL, options: ConnectionOptions = {}) {
    this.#address = socketAddress(url);
    this.#hooks = options;
    this.#drafts = options.drafts ?? noDrafts();
    this.#WebSocket = options.WebSocket ?? WebSocket;
    this.#name = (options.name ?? "").slice(0, NAME_LENGTH);
    this.#isHidden = options.isHidden ?? false;
    const tell = (refusal: Refusal): void => this.#hooks.onRefused?.(refusal);
    this.#replica = new Replica(editor, {
      onRefused: tell,
      onSelection: (id, ranges) => this.#presence.has(id) && this.#hooks.onSelection?.(id, ranges),
    });
    this.#leftovers = new Leftovers((unseen, drafts, onStatus) => {
      const more = { onStatus, onRefused: tell, name: this.#name, WebSocket: this.#WebSocket };
      return new Connection(unseen, this.#address, { drafts, ...more });
    });
    this.#endHints = hearHints(this.#onHint, this.#onHide);
    void this.#begin();
  }

  get status(): Status {
    return {
      state: this.#state,
      mode: this.#replica.mode,
      storage: this.#storage,
      storageReason: this.#storageReason,
      unsaved: this.#replica.unconfirmed,
      kept: this.#kept,
      heardAt: this.#heardAt,
      silentAt: this.#heardAt === null ? null : this.#life.silentAt(this.#heardAt),
      offline: this.#offline,
      askedAt: this.#socket === null ? null : this.#life.askedAt,
      waitingSince: this.#waitingSince,
      retryAt: this.#retryAt,
      ended: this.#ended,
    };
  }

  /** The others who are here. */
  get peers(): readonly PresentPeer[] {
    return this.#presence.all;
  }

  /** One's own colour, as the number of one of `COLORS`. */
  get color(): number {
    return this.#presence.ownColor;
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

  /** The language for all, as a name of `a-z`, `0-9`, `+`, `#` and `-`; setting it tells all. Empty: none was chosen. */
  get language(): string {
    return this.#language.name;
  }

  set language(name: string) {
    this.#language.choose(name);
    this.#send();
  }

  /** Let a pause end now. */
  retry(): void {
    if (this.#retryAt !== null) this.#dial();
  }

  /** Tell that the editor's text or selection has changed by its user. */
  changed(): void {
    this.#replica.changed();
    this.#send();
    // At once, since a crash leaves no time; but not in the middle of a change of others.
    if (this.#replica.isTaking) return this.#keepSoon();
    if (this.#replica.typed !== this.#keptTyped) this.#keep();
    this.#told();
  }

  /** Show the others where one's cursor is, from now on. */
  appear(): void {
    if (!this.#isHidden) return;
    this.#isHidden = false;
    this.#send();
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
        if (!(error instanceof RangeError || error instanceof TypeError)) throw error;
        this.#setAside(draft);
      }
    }
    this.#offer();
    this.#dial();
  }

  /** Have the text of a draft offered, which was not written by this program, or not whole. */
  #setAside(draft: Draft): void {
    const text = textIn(JSON.stringify(draft));
    const reason = unreadable(text);
    if (this.#drafts.setAside?.(reason, text, false)) return;
    this.#drafts.keep(null);
    this.#hooks.onRefused?.({ code: "set_aside", reason, inserted: text });
  }

  /** Offer what earlier pages could not send. */
  #offer(): void {
    for (const { reason, text, forget } of this.#drafts.asides?.() ?? []) {
      this.#hooks.onRefused?.({ code: "set_aside", reason, inserted: text, forget });
    }
  }

  /** Keep under the codespace's own name from now on, and have what closed windows have left sent. */
  async #comeHome(codespace: string | undefined, mode: Mode): Promise<void> {
    if (codespace !== undefined) await this.#drafts.named?.(codespace, mode);
    if (this.#state === "closed") return;
    this.#offer();
    if (mode === "edit") await this.#leftovers.send(this.#drafts);
    this.#offer();
  }

  /** The network has come or gone, or the page is seen or hidden. */
  readonly #onHint = (): void => {
    this.#offline = isOffline();
    if (document.visibilityState === "hidden") this.#onHide();
    else if (!this.#offline) this.retry();
    const socket = this.#socket;
    if (socket !== null && this.#life.wonder(Date.now())) this.#sendFrame(socket, { type: "alive" });
    if (socket !== null) this.#look();
    this.#told();
  };

  readonly #onHide = (): void => {
    this.#keep();
    this.#drafts.tidy?.();
  };

  #dial(): void {
    clearTimeout(this.#timer);
    this.#retryAt = null;
    const url = joiningAddress(this.#address, this.#session, this.#name, this.#replica.resumePoint);
    const socket = (this.#socket = new this.#WebSocket(url, SUBPROTOCOL));
    this.#life = new Liveness(Date.now());
    this.#pieces = new Pieces();
    socket.onopen = () => this.#life.heard(Date.now());
    socket.onmessage = ({ data }) => socket === this.#socket && this.#onMessage(data);
    socket.onclose = ({ code, reason }) => socket === this.#socket && this.#onClose(code, reason);
    this.#look();
    this.#told();
  }

  #onMessage(data: unknown): void {
    this.#heardAt = Date.now();
    this.#life.heard(this.#heardAt);
    let text: string | null;
    let frame: ServerFrame | null = null;
    try {
      text = this.#pieces.add(data);
      if (text !== null) frame = parseFrame(text);
    } catch {
      return this.#end({ code: 4400, reason: "the server speaks another protocol" });
    }
    if (text === null) return this.#told();
    try {
      if (frame !== null) this.#onFrame(frame);
    } catch (error) {
      if (error instanceof AnotherLife) return this.#end({ code: GONE, reason: ANOTHER_LIFE }, this.#replica.text);
      if (!(error instanceof OutOfStep)) throw error;
      return this.#cut(LOST, error.message);
    }
    if (this.#replica.mustFetch) return this.#cut(LOST, "an edit was refused");
    this.#waits();
    this.#send();
    this.#look();
    this.#keepSoon();
    this.#told();
  }

  #onFrame(frame: ServerFrame): void {
    switch (frame.type) {
      case "welcome":
        this.#replica.resume(frame);
        this.#welcomes++;
        this.#pauses.welcomed(Date.now());
        this.#state = "connected";
        this.#ended = null;
        this.#storage = "ok";
        this.#storageReason = null;
        this.#life.welcomed(frame.limits.alive_ms);
        this.#presence.set(frame.id, frame.peers);
        this.#language.welcome(frame.language, frame.mode);
        void this.#comeHome(frame.codespace, frame.mode);
        break;
      case "updates":
        this.#replica.receive(frame);
        break;
      case "refused": {
        const before = this.#replica.unconfirmed;
        this.#replica.refuse(frame);
        // There are only so many edits to be taken back, and others wait for that.
        if (this.#replica.unconfirmed < before) this.#pauses.restart();
        // Kept as it is now, so that it is not sent the same way again.
        this.#keep();
        break;
      }
      case "select":
        this.#replica.select(frame.id, frame.version, frame.ranges);
        break;
      case "peer":
        this.#presence.add(frame);
        break;
      case "gone":
        this.#presence.remove(frame.id);
        break;
      case "status":
        this.#storage = frame.storage;
        this.#storageReason = frame.reason ?? null;
        break;
      case "language":
        this.#language.receive(frame.name, frame.id);
        break;
      case "alive":
    }
  }

  #onClose(code: number, reason: string): void {
    if (mayComeBack(code)) this.#pause(code, reason);
    else this.#end({ code, reason }, NOT_UNDERSTOOD.has(code) && this.#replica.awaits ? this.#replica.inserted : "");
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
    this.#waitingSince = null;
    this.#presence.set(this.id, []);
  }

  #pause(code: number, reason: string): void {
    this.#state = this.#welcomes > 0 || this.#replica.begun ? "reconnecting" : "connecting";
    this.#drop();
    const milliseconds = this.#pauses.next(Date.now());
    this.#ended = { code, reason };
    this.#retryAt = Date.now() + milliseconds;
    this.#timer = setTimeout(() => this.#dial(), milliseconds);
    this.#told();
  }

  /** End for good. `lost` cannot be sent the next time either: it is set aside, for the next page to offer. */
  #end(ended: { code: number; reason: string }, lost = ""): void {
    if (this.#state === "closed") return;
    this.#keep();
    if (lost !== "") this.#drafts.setAside?.(ended.reason, lost, true);
    this.#leftovers.close();
    this.#state = "closed";
    this.#drop();
    clearTimeout(this.#keepTimer);
    this.#retryAt = null;
    this.#ended = ended;
    this.#replica.close();
    this.#drafts.release();
    this.#endHints();
    this.#told();
  }

  #send(): void {
    const socket = this.#socket;
    if (socket === null || this.#state !== "connected") return;
    const push = this.#replica.nextPush();
    if (push !== null) {
      // Before it leaves: the next page knows by the number whether this push has happened, if this page crashes.
      this.#keep();
      this.#waitingSince = Date.now();
      this.#life.pushed(this.#waitingSince, this.#sendFrame(socket, push));
      this.#waits();
      this.#look();
    }
    const language = this.#language.next();
    if (language !== null) this.#sendFrame(socket, language);
    if (this.#selectTimer === undefined && !this.#isHidden) {
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

  /** Send a frame, if the socket can; return its length. */
  #sendFrame(socket: WebSocket, frame: ClientFrame): number {
    const text = JSON.stringify(frame);
    if (socket.readyState === this.#WebSocket.OPEN) socket.send(text);
    return text.length;
  }

  /** Note whether a push waits for its answer; while the server cannot store edits, it owes none. */
  #waits(): void {
    if (!this.#replica.awaits) this.#waitingSince = null;
    this.#life.waits(Date.now(), this.#waitingSince !== null && this.#storage !== "down");
  }

  /** Look whether the connection lives, ask if that is due, and look again in time. */
  #look(): void {
    const socket = this.#socket;
    if (socket === null) return;
    clearTimeout(this.#timer);
    const now = Date.now();
    const verdict = this.#life.look(now, socket.bufferedAmount);
    if (verdict === "lost") return this.#cut(LOST, "the server does not answer");
    this.#timer = setTimeout(() => this.#look(), verdict.lookAt - now);
    if (verdict.ask) {
      this.#sendFrame(socket, { type: "alive" });
      this.#told();
    }
  }

  #keepSoon(): void {
    this.#keepTimer ??= setTimeout(() => this.#keep(), KEEP_MS);
    this.#told();
  }

  #keep(): void {
    clearTimeout(this.#keepTimer);
    this.#keepTimer = undefined;
    if (this.#session === "" || this.#state === "closed") return;
    this.#keptTyped = this.#replica.typed;
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
