/**
 * Unsaved edits kept in the browser, so that they outlive the page.
 *
 * Each is kept under the session that has made it, since a server knows by the session whether a push has happened. A
 * session has one page at a time: the page that holds its lock. Browsers have locks on https and on localhost only;
 * elsewhere a session is taken from a page that has not been heard of for long.
 */

import type { Draft } from "./replica.js";

/** Keeps the unsaved edits of one codespace; one for each connection. */
export interface DraftStore {
  /** Return a session that is this page's alone, and what was left unsaved in it. */
  take(): Promise<{ session: string; draft: Draft | null }>;
  /** Keep what is unsaved now in place of what was; null: nothing is. Return whether it could be kept. */
  keep(draft: Draft | null): boolean;
  /** Let another page have the session; what is kept stays. */
  release(): void;
}

interface Kept {
  readonly draft: Draft;
  /** When a page last said that it is this page's, in milliseconds since 1970. */
  readonly at: number;
}

const PREFIX = "pyshare";

/** Milliseconds between two signs of life of a page, and without one after which a page is taken to be gone. */
const ALIVE_MS = 20_000;
const GONE_MS = 120_000;

/** Milliseconds that a page which is loaded anew waits for what it was before to let go of its session. */
const LETTING_GO_MS = 1000;

/** Milliseconds for which unsaved edits are kept that nobody has come back for. */
const FORGOTTEN_MS = 90 * 24 * 3600 * 1000;

/** Return a session: random 128 bits as base64url. */
export function newSession(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}

/** Keep nothing. */
export function noDrafts(): DraftStore {
  return {
    take: () => Promise.resolve({ session: newSession(), draft: null }),
    keep: () => false,
    release: () => {},
  };
}

/**
 * Keep unsaved edits in the browser's local storage, under a name that stands for the codespace.
 *
 * Where there is no storage, or no room in it, nothing is kept.
 */
export function localDrafts(name: string): DraftStore {
  return new LocalDrafts(`${PREFIX}:${name}`);
}

class LocalDrafts implements DraftStore {
  readonly #place: string;
  #session = "";
  #letGo: () => void = () => {};
  #alive: ReturnType<typeof setInterval> | undefined;
  #kept: Draft | null = null;

  constructor(place: string) {
    this.#place = place;
  }

  async take(): Promise<{ session: string; draft: Draft | null }> {
    const own = attempt(() => sessionStorage.getItem(this.#place)) ?? null;
    const sessions = [...(own ? [own] : []), ...this.#sessionsKept().filter((each) => each !== own)];
    for (const session of sessions) {
      if (await this.#claim(session, session === own)) return this.#take(session);
    }
    const session = newSession();
    await this.#claim(session, true);
    return this.#take(session);
  }

  keep(draft: Draft | null): boolean {
    this.#kept = draft;
    const key = `${this.#place}:${this.#session}`;
    if (draft === null) {
      attempt(() => localStorage.removeItem(key));
      return true;
    }
    const kept: Kept = { draft, at: Date.now() };
    return attempt(() => (localStorage.setItem(key, JSON.stringify(kept)), true)) ?? false;
  }

  release(): void {
    clearInterval(this.#alive);
    this.#letGo();
  }

  #take(session: string): { session: string; draft: Draft | null } {
    this.#session = session;
    attempt(() => sessionStorage.setItem(this.#place, session));
    this.#kept = this.#read(session)?.draft ?? null;
    this.#alive = setInterval(() => this.#kept && this.keep(this.#kept), ALIVE_MS);
    return { session, draft: this.#kept };
  }

  #read(session: string): Kept | null {
    return (
      attempt(() => JSON.parse(localStorage.getItem(`${this.#place}:${session}`) ?? "null") as Kept | null) ?? null
    );
  }

  /** Return the sessions of this place that have something unsaved, and forget what is too old. */
  #sessionsKept(): string[] {
    const start = `${this.#place}:`;
    const keys = attempt(() => Object.keys(localStorage)) ?? [];
    const sessions = keys.filter((key) => key.startsWith(start)).map((key) => key.slice(start.length));
    return sessions.filter((session) => {
      const kept = this.#read(session);
      if (kept && Date.now() - kept.at < FORGOTTEN_MS) return true;
      attempt(() => localStorage.removeItem(start + session));
      return false;
    });
  }

  /** Hold a session if no other page does; `own`: it was this window's. */
  async #claim(session: string, own: boolean): Promise<boolean> {
    const locks = (navigator as Partial<Navigator>).locks;
    if (locks === undefined) {
      // A window that was duplicated has the same memory as the one that lives on: only a reload is sure to be alone.
      const [navigation] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
      const kept = this.#read(session);
      return (own && navigation?.type === "reload") || (kept !== null && Date.now() - kept.at > GONE_MS);
    }
    // Only what is unsaved is worth waiting for.
    const patient = own && this.#read(session) !== null;
    const options = patient ? { signal: AbortSignal.timeout(LETTING_GO_MS) } : { ifAvailable: true };
    return new Promise((resolve) => {
      const request = locks.request(`${this.#place}:${session}`, options, async (lock) => {
        resolve(lock !== null);
        if (lock !== null) await new Promise<void>((letGo) => (this.#letGo = letGo));
      });
      request.catch(() => resolve(false));
    });
  }
}

/** Return what `act` does; undefined if storage is forbidden or full. */
function attempt<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch {
    return undefined;
  }
}
