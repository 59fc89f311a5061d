/**
 * The browser's local storage as a place for unsaved edits.
 *
 * Each draft is kept under the session that has made it, since a server knows by the session whether a push has happened.
 * A session has one page at a time: the page that holds its lock. Browsers have locks on https and on localhost only;
 * elsewhere a session is taken from a page that has not been heard of for long.
 */

import type { Aside, DraftStore } from "./drafts.js";
import type { Mode } from "./protocol.js";
import type { Draft } from "./draft.js";
import { attempt, Records } from "./records.js";
import { unreadable } from "./refusals.js";

/** Milliseconds between two signs of life of a page, and without one after which a page is taken to be gone. */
const ALIVE_MS = 20_000;
const GONE_MS = 120_000;

/** Milliseconds that a page which is loaded again waits for what it was before to let go of its session. */
const LETTING_GO_MS = 1000;

/** Milliseconds without anything unsaved after which the text below is not kept any more. */
const IDLE_MS = 5000;

/** One session's draft: where it is kept. */
interface Spot {
  readonly place: string;
  readonly session: string;
}

export class LocalDrafts implements DraftStore {
  /** The name by the address, and by the codespace once that is known. */
  readonly #address: string;
  #codespace: string | null = null;
  readonly #newSession: () => string;
  #spot: Spot;
  #records: Records | null = null;
  /** Ends of the locks that this page holds. */
  readonly #locks: (() => void)[] = [];
  #alive: ReturnType<typeof setInterval> | undefined;
  #idle: ReturnType<typeof setTimeout> | undefined;
  #kept: Draft | null = null;
  #isReleased = false;
  /** Names of the drafts, and keys of the texts, that were returned already. */
  readonly #returned = new Set<string>();
  readonly #told = new Set<string>();

  constructor(address: string, newSession: () => string) {
    this.#address = address;
    this.#newSession = newSession;
    this.#spot = { place: address, session: "" };
  }

  async take(): Promise<{ session: string; draft: Draft | null }> {
    await Records.sweep(heldLocks);
    const known = Records.codespaceAt(this.#address);
    this.#codespace = known?.codespace ?? null;
    // What was typed with a link for editing is not for one for viewing.
    const home = known === null || known.mode === "view_only" ? this.#address : placeOf(known.codespace);
    const own = attempt(() => sessionStorage.getItem(ownKey(this.#address))) ?? null;
    const places = new Set([home, this.#address]);
    const spots = [...places].flatMap((place) => Records.sessions(place).map((session) => ({ place, session })));
    const mine = spots.filter(({ session }) => session === own);
    if (own !== null && mine.length === 0) mine.push({ place: home, session: own });
    for (const spot of [...mine, ...spots.filter(({ session }) => session !== own)]) {
      if (await this.#claim(spot, spot.session === own)) return this.#settle(spot);
    }
    const spot = { place: home, session: this.#newSession() };
    await this.#claim(spot, true);
    return this.#settle(spot);
  }

  keep(draft: Draft | null): boolean {
    this.#kept = draft;
    clearTimeout(this.#idle);
    if (draft !== null) return this.#records?.put(draft) ?? false;
    this.#records?.empty();
    this.#idle = setTimeout(() => this.tidy(), IDLE_MS);
    return true;
  }

  tidy(): void {
    clearTimeout(this.#idle);
    if (this.#kept === null) this.#records?.clear();
  }

  release(): void {
    this.tidy();
    clearInterval(this.#alive);
    this.#isReleased = true;
    for (const letGo of this.#locks.splice(0)) letGo();
  }

  async named(codespace: string, mode: Mode): Promise<void> {
    Records.rememberCodespace(this.#address, codespace, mode);
    this.#codespace = codespace;
    const spot = { place: placeOf(codespace), session: this.#spot.session };
    if (mode === "view_only" || spot.place === this.#spot.place) return;
    if (!(await this.#hold(spot, false)) || this.#isReleased) return;
    const before = this.#records;
    this.#spot = spot;
    this.#records = new Records(spot.place, spot.session);
    if (this.#kept === null || this.#records.put(this.#kept)) before?.clear();
  }

  async next(): Promise<DraftStore | null> {
    const places = new Set([this.#spot.place, this.#address]);
    if (this.#codespace !== null) places.add(placeOf(this.#codespace));
    for (const place of places) {
      for (const session of Records.sessions(place)) {
        const key = `${place}:${session}`;
        if (session === this.#spot.session || this.#returned.has(key)) continue;
        const other = new LocalDrafts(this.#address, this.#newSession);
        if (!(await other.#claim({ place, session }, false))) continue;
        this.#returned.add(key);
        return other.#asLeft({ place, session });
      }
    }
    return null;
  }

  setAside(reason: string, text: string, isOnScreen: boolean): boolean {
    this.#kept = null;
    const kept = Records.setAside(this.#home, reason, text);
    this.#records?.clear();
    // Where storage was full, there is room now.
    const key = kept ?? Records.setAside(this.#home, reason, text);
    if (key !== null && isOnScreen) this.#told.add(key);
    return key !== null;
  }

  asides(): readonly Aside[] {
    const places = new Set([this.#address, this.#home]);
    const all = [...places].flatMap((place) => Records.asides(place));
    const news = all.filter(({ key }) => !this.#told.has(key));
    for (const { key } of news) this.#told.add(key);
    return news;
  }

  /** The place of this codespace. */
  get #home(): string {
    return this.#codespace === null ? this.#address : placeOf(this.#codespace);
  }

  /** Return this as the store of a connection that sends what was left in `spot`, and nothing else. */
  #asLeft(spot: Spot): DraftStore {
    return {
      take: async () => this.#settle(spot, false),
      keep: (draft) => this.keep(draft),
      release: () => this.release(),
      setAside: (reason, text, isOnScreen) => this.setAside(reason, text, isOnScreen),
    };
  }

  #settle(spot: Spot, own = true): { session: string; draft: Draft | null } {
    this.#spot = spot;
    this.#records = new Records(spot.place, spot.session);
    if (own) attempt(() => sessionStorage.setItem(ownKey(this.#address), spot.session));
    const scraps = this.#records.scraps();
    if (scraps !== null) this.setAside(unreadable(scraps), scraps, false);
    this.#kept = this.#records.get()?.draft ?? null;
    this.#alive = setInterval(() => this.#kept && this.keep(this.#kept), ALIVE_MS);
    return { session: spot.session, draft: this.#kept };
  }

  /** Hold a session if no other page does; `own`: it was this window's. */
  async #claim(spot: Spot, own: boolean): Promise<boolean> {
    const records = new Records(spot.place, spot.session);
    const kept = records.get();
    if (hasLocks()) return this.#hold(spot, own && kept !== null);
    // A page that lives keeps what can be read.
    if (records.scraps() !== null) return true;
    // A window that was duplicated has the same memory as the one that lives on: only a reload is sure to be alone.
    const [navigation] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
    return (own && navigation?.type === "reload") || (kept !== null && Date.now() - kept.at > GONE_MS);
  }

  /** Hold the lock of a spot, where there are locks; `patient`: wait a moment for it. */
  async #hold({ place, session }: Spot, patient: boolean): Promise<boolean> {
    if (!hasLocks()) return true;
    const options = patient ? { signal: AbortSignal.timeout(LETTING_GO_MS) } : { ifAvailable: true };
    return new Promise((resolve) => {
      const request = navigator.locks.request(lockOf(place, session), options, async (lock) => {
        resolve(lock !== null);
        if (lock !== null && !this.#isReleased) await new Promise<void>((letGo) => this.#locks.push(letGo));
      });
      request.catch(() => resolve(false));
    });
  }
}

/** Return the place of a codespace by its mark; those by address begin with a slash. */
function placeOf(codespace: string): string {
  return `codespace-${codespace}`;
}

function ownKey(address: string): string {
  return `pyshare:${address}`;
}

function lockOf(place: string, session: string): string {
  return `pyshare:${place}:${session}`;
}

function hasLocks(): boolean {
  return (navigator as Partial<Navigator>).locks !== undefined;
}

/** Return the names of all locks that pages hold; null where there are no locks. */
async function heldLocks(): Promise<ReadonlySet<string> | null> {
  if (!hasLocks()) return null;
  const { held } = await navigator.locks.query();
  return new Set(held?.flatMap(({ name }) => (name === undefined ? [] : [name])));
}
