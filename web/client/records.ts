/**
 * The records in a browser's local storage: drafts, the texts below them, texts that were set aside, and the codespaces
 * that addresses lead to. Where there is no storage, or no room in it, nothing is there.
 *
 * A draft is written before each push. So the long text below it has a record of its own, which is written seldom: a new
 * one first, then the draft that names it, then the old one is removed. A crash in between leaves one that is whole.
 */

import type { Mode } from "./protocol.js";
import type { Draft } from "./draft.js";

/** Milliseconds for which something is kept that nobody has come back for. */
const FORGOTTEN_MS = 90 * 24 * 3600 * 1000;
/** Milliseconds after which a text without a draft is swept away where no lock tells whether its page lives. */
const STALE_MS = 24 * 3600 * 1000;

const DRAFT = "pyshare:";
const BASE = "pyshare.base:";
const ASIDE = "pyshare.aside:";
const ADDRESS = "pyshare.address:";
const SESSION = /^[\w-]{16,64}$/;

/** A draft; in records of earlier versions it has its base itself. */
interface Kept {
  readonly draft: Omit<Draft, "base"> & { readonly base?: string };
  /** The number of the record with its base. */
  readonly base?: number;
  /** When a page last said that it is this page's, in milliseconds since 1970. */
  readonly at: number;
}

interface KeptBase {
  readonly text: string;
  readonly at: number;
}

interface KnownCodespace {
  readonly codespace: string;
  readonly mode: Mode;
  readonly at: number;
}

export interface KeptAside {
  readonly key: string;
  readonly reason: string;
  readonly text: string;
  forget(): void;
}

/** The records of one session in one place. */
export class Records {
  readonly #name: string;
  /** The base that is written, and its number; 0: none. */
  #base: string | null = null;
  #number = 0;

  constructor(place: string, session: string) {
    this.#name = `${place}:${session}`;
  }

  /** Return the sessions of a place that have something unsaved, the oldest first; forget what is too old. */
  static sessions(place: string): readonly string[] {
    const start = `${DRAFT}${place}:`;
    const found: { readonly session: string; readonly at: number }[] = [];
    for (const key of keysWith(start)) {
      const session = key.slice(start.length);
      const kept = read<Kept>(key);
      if (!SESSION.test(session)) continue;
      if (kept && Date.now() - kept.at < FORGOTTEN_MS) found.push({ session, at: kept.at });
      else remove(key);
    }
    return found.sort((one, other) => one.at - other.at).map(({ session }) => session);
  }

  /** Remove what has no use any more: texts of pages that have ended, and what is too old. */
  static async sweep(heldLocks: () => Promise<ReadonlySet<string> | null>): Promise<void> {
    const bases = keysWith(BASE);
    const held = bases.length > 0 ? await heldLocks() : null;
    for (const key of bases) {
      const name = key.slice(BASE.length, key.lastIndexOf(":"));
      if (attempt(() => localStorage.getItem(DRAFT + name)) != null) continue;
      const isStale = Date.now() - (read<KeptBase>(key)?.at ?? 0) > STALE_MS;
      if (held === null ? isStale : !held.has(DRAFT + name)) remove(key);
    }
    for (const key of [...keysWith(ASIDE), ...keysWith(ADDRESS)]) {
      if (Date.now() - (read<{ at: number }>(key)?.at ?? 0) > FORGOTTEN_MS) remove(key);
    }
  }

  /** Return the codespace that an address led to last, and with which mode. */
  static codespaceAt(address: string): KnownCodespace | null {
    return read<KnownCodespace>(ADDRESS + address);
  }

  static rememberCodespace(address: string, codespace: string, mode: Mode): void {
    const known: KnownCodespace = { codespace, mode, at: Date.now() };
    write(ADDRESS + address, known);
  }

  /** Keep a text for the next page. Return its key; null if there is no room. */
  static setAside(place: string, reason: string, text: string): string | null {
    const key = `${ASIDE}${place}:${Date.now()}`;
    return write(key, { reason, text, at: Date.now() }) ? key : null;
  }

  static asides(place: string): readonly KeptAside[] {
    return keysWith(`${ASIDE}${place}:`).flatMap((key) => {
      const kept = read<{ reason: string; text: string }>(key);
      return kept === null ? [] : [{ ...kept, key, forget: () => remove(key) }];
    });
  }

  /** Return what is kept; null if nothing is, or nothing whole. */
  get(): { readonly draft: Draft; readonly at: number } | null {
    const kept = read<Kept>(DRAFT + this.#name);
    if (!Array.isArray(kept?.draft?.changes)) return null;
    const base = kept.draft.base ?? read<KeptBase>(this.#baseKey(kept.base ?? 0))?.text;
    if (typeof base !== "string") return null;
    this.#base = kept.draft.base === undefined ? base : null;
    this.#number = kept.base ?? 0;
    return { draft: { ...kept.draft, base }, at: kept.at };
  }

  /** Keep a draft; return whether there is room. */
  put(draft: Draft): boolean {
    const { base, ...small } = draft;
    const at = Date.now();
    const before = this.#number;
    if (base !== this.#base) {
      const text: KeptBase = { text: base, at };
      if (!write(this.#baseKey(before + 1), text)) return false;
      this.#number = before + 1;
    }
    const kept: Kept = { draft: small, base: this.#number, at };
    if (!write(DRAFT + this.#name, kept)) {
      if (this.#number !== before) remove(this.#baseKey(this.#number));
      this.#number = before;
      return false;
    }
    this.#base = base;
    if (this.#number !== before) remove(this.#baseKey(before));
    return true;
  }

  /** Keep no draft, but the text below the next one. */
  empty(): void {
    remove(DRAFT + this.#name);
  }

  clear(): void {
    this.empty();
    remove(this.#baseKey(this.#number));
    this.#base = null;
  }

  #baseKey(number: number): string {
    return `${BASE}${this.#name}:${number}`;
  }
}

/** Return what `act` does; undefined if storage is forbidden or full. */
export function attempt<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch {
    return undefined;
  }
}

function keysWith(start: string): readonly string[] {
  return (attempt(() => Object.keys(localStorage)) ?? []).filter((key) => key.startsWith(start));
}

function read<T>(key: string): T | null {
  return attempt(() => JSON.parse(localStorage.getItem(key) ?? "null") as T | null) ?? null;
}

function write(key: string, value: unknown): boolean {
  return attempt(() => (localStorage.setItem(key, JSON.stringify(value)), true)) ?? false;
}

function remove(key: string): void {
  attempt(() => localStorage.removeItem(key));
}
