/**
 * The records in a browser's local storage: drafts, the texts below them, texts that were set aside, and the codespaces
 * that addresses lead to. Where there is no storage, or no room in it, nothing is there.
 *
 * A draft is written with each key and before each push. So what is long and changes seldom has records of its own, with
 * numbers: the text below the draft, a large paste on its way. A new one is written first, then the draft that names it,
 * then the old one is removed. A crash in between leaves one that is whole.
 */

import type { Mode } from "./protocol.js";
import { textIn, type Draft } from "./draft.js";

/** Milliseconds for which something is kept that nobody has come back for. */
const FORGOTTEN_MS = 90 * 24 * 3600 * 1000;
/** Milliseconds after which a text without a draft is swept away where no lock tells whether its page lives. */
const STALE_MS = 24 * 3600 * 1000;
/** Characters of JSON above which edits have a record of their own. */
const LONG_JSON = 4096;

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

/** Something long: the text below a draft, or some of its edits, which the draft names as `Named`. */
interface KeptLong {
  readonly text?: string;
  readonly changes?: unknown;
  readonly at: number;
}

interface Named {
  readonly record: number;
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
  /** Long edits that are written, with their numbers; and the last number that was used. */
  #long = new Map<unknown, number>();
  #last = 0;

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
      // What cannot be read is found too, and offered as text.
      const at = typeof kept?.at === "number" ? kept.at : Date.now();
      if (Date.now() - at < FORGOTTEN_MS) found.push({ session, at });
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
      const isStale = Date.now() - (read<KeptLong>(key)?.at ?? 0) > STALE_MS;
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
    let key = `${ASIDE}${place}:${Date.now()}`;
    while (attempt(() => localStorage.getItem(key)) != null) key += "+";
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
    const base = kept.draft.base ?? this.#read(kept.base)?.text;
    const changes = kept.draft.changes.map((each) => (isNamed(each) ? this.#read(each.record)?.changes : each));
    if (typeof base !== "string" || changes.includes(undefined)) return null;
    this.#base = kept.draft.base === undefined ? base : null;
    this.#number = kept.base ?? 0;
    kept.draft.changes.forEach((each, index) => isNamed(each) && this.#long.set(changes[index], each.record));
    return { draft: { ...kept.draft, base, changes }, at: kept.at };
  }

  /** Return the text that can be found in a draft that is not whole; null if there is none, or a whole one. */
  scraps(): string | null {
    const draft = attempt(() => localStorage.getItem(DRAFT + this.#name)) ?? null;
    if (draft === null || this.get() !== null) return null;
    const records = [...draft.matchAll(/\{"record":(\d+)\}/g)].map(([, number]) => this.#key(Number(number)));
    const long = records.map((key) => attempt(() => localStorage.getItem(key)) ?? "");
    return [draft, ...long]
      .map(textIn)
      .filter((text) => text !== "")
      .join("\n");
  }

  /** Keep a draft; return whether there is room. */
  put(draft: Draft): boolean {
    const at = Date.now();
    const added: number[] = [];
    const add = (what: Omit<KeptLong, "at">): number => {
      added.push(++this.#last);
      return write(this.#key(this.#last), { ...what, at }) ? this.#last : 0;
    };
    this.#last = Math.max(this.#last, this.#number, ...this.#long.values());
    const number = draft.base === this.#base ? this.#number : add({ text: draft.base });
    const long = new Map<unknown, number>();
    const changes = draft.changes.map((each) => {
      const isLong = this.#long.has(each) || JSON.stringify(each).length > LONG_JSON;
      if (!isLong) return each;
      const named: Named = { record: this.#long.get(each) ?? add({ changes: each }) };
      long.set(each, named.record);
      return named;
    });
    const { base, ...small } = draft;
    const kept: Kept = { draft: { ...small, changes }, base: number, at };
    if (number === 0 || [...long.values()].includes(0) || !write(DRAFT + this.#name, kept)) {
      for (const each of added) remove(this.#key(each));
      return false;
    }
    const before = [this.#number, ...this.#long.values()];
    [this.#base, this.#number, this.#long] = [base, number, long];
    const needed = new Set([number, ...long.values()]);
    for (const each of before) if (!needed.has(each)) remove(this.#key(each));
    return true;
  }

  /** Keep no draft, but the text below the next one. */
  empty(): void {
    remove(DRAFT + this.#name);
    for (const number of this.#long.values()) remove(this.#key(number));
    this.#long.clear();
  }

  clear(): void {
    this.empty();
    for (const key of keysWith(this.#key(""))) remove(key);
    this.#base = null;
  }

  #key(number: number | ""): string {
    return `${BASE}${this.#name}:${number}`;
  }

  #read(number = 0): KeptLong | null {
    return read<KeptLong>(this.#key(number));
  }
}

function isNamed(changes: unknown): changes is Named {
  return typeof (changes as Named | null)?.record === "number";
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
