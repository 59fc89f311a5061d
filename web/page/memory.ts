/** What the page remembers in this browser: who one is, and where one was. Where nothing can be kept, nothing is. */

/** A codespace that was open here. */
export interface Recent {
  readonly token: string;
  readonly language: string;
  /** Its first line. */
  readonly title: string;
  /** When it was last open, in milliseconds since 1970. */
  readonly at: number;
}

const NAME = "pyshare.name";
const RECENT = "pyshare.recent";
const MOST_RECENT = 8;

const NAMES = [
  ..."Badger Beaver Bison Crane Dolphin Eagle Falcon Finch Fox Gecko Hare Hawk Heron Ibex Jackdaw Kestrel".split(" "),
  ..."Kiwi Lark Lemur Lynx Marten Mole Newt Otter Owl Panda Puffin Raven Robin Seal Stork Swift Tapir Wren".split(" "),
];

/** Return one's name; a name at random, which is then kept, for who has given none. */
export function loadName(): string {
  const kept = read(NAME);
  if (kept) return kept;
  const name = NAMES[Math.floor(Math.random() * NAMES.length)]!;
  saveName(name);
  return name;
}

export function saveName(name: string): void {
  write(NAME, name);
}

/** Return the codespaces that were open here, the last one first. */
export function loadRecent(): Recent[] {
  try {
    const kept: unknown = JSON.parse(read(RECENT) ?? "[]");
    return Array.isArray(kept) ? kept.filter(isRecent) : [];
  } catch {
    return [];
  }
}

/** Put a codespace first. */
export function rememberRecent(recent: Recent): void {
  const others = loadRecent().filter(({ token }) => token !== recent.token);
  write(RECENT, JSON.stringify([recent, ...others].slice(0, MOST_RECENT)));
}

export function forgetRecent(gone: string): void {
  write(RECENT, JSON.stringify(loadRecent().filter(({ token }) => token !== gone)));
}

function isRecent(value: unknown): value is Recent {
  const recent = value as Partial<Recent> | null;
  return typeof recent?.token === "string" && typeof recent.at === "number" && typeof recent.title === "string";
}

function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function write(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // It is forbidden, or full.
  }
}
