/** The page's memory in this browser: one's name, choices, and the codespaces that were open. It is empty where the browser keeps nothing. */

import type { Mode } from "../client/index.js";

/** A codespace that was open here. */
export interface Recent {
  readonly token: string;
  readonly language: string;
  /** Its first line. */
  readonly title: string;
  /** When it was last open, in milliseconds since 1970. */
  readonly at: number;
  /** What its link is good for; older notes do not say. */
  readonly mode?: Mode;
  /** What one has called it here. */
  readonly name?: string;
}

const NAME = "pyshare.name";
const RECENT = "pyshare.recent";
const WRAPPING = "pyshare.wrapping";
/** Codespaces that are remembered: a link may be the only key to a text, so these are many. */
const MOST_RECENT = 100;
/** Characters of a title and of a name. */
const TITLE_LENGTH = 60;

const NAMES = [
  ..."Badger Beaver Bison Crane Dolphin Eagle Falcon Finch Fox Gecko Hare Hawk Heron Ibex Jackdaw Kestrel".split(" "),
  ..."Kiwi Lark Lemur Lynx Marten Mole Newt Otter Owl Panda Puffin Raven Robin Seal Stork Swift Tapir Wren".split(" "),
];

/** Return whether a name is kept here. */
export function isNamed(): boolean {
  return Boolean(read(NAME));
}

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

/** Return whether lines are to be wrapped; null: nothing was chosen. */
export function loadWrapping(): boolean | null {
  const kept = read(WRAPPING);
  return kept === null ? null : kept === "on";
}

export function saveWrapping(isWrapped: boolean): void {
  write(WRAPPING, isWrapped ? "on" : "off");
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

/** Return what is remembered of a codespace. */
export function findRecent(token: string): Recent | undefined {
  return loadRecent().find((each) => each.token === token);
}

/** Put a codespace first; its name stays. */
export function rememberRecent(recent: Recent): void {
  const all = loadRecent();
  const name = all.find(({ token }) => token === recent.token)?.name;
  const others = all.filter(({ token }) => token !== recent.token);
  save([name === undefined ? recent : { ...recent, name }, ...others]);
}

/** Call a codespace something; with an empty name it has its first line again. */
export function renameRecent(token: string, name: string): void {
  const short = name.trim().slice(0, TITLE_LENGTH);
  save(
    loadRecent().map((recent) => {
      if (recent.token !== token) return recent;
      const { name: _, ...nameless } = recent;
      return short === "" ? nameless : { ...nameless, name: short };
    }),
  );
}

/** Forget one codespace, or all; return what remembers them again. */
export function forgetRecent(gone?: string): () => void {
  const all = loadRecent();
  const isGone = ({ token }: Recent): boolean => gone === undefined || token === gone;
  save(all.filter((each) => !isGone(each)));
  return () => {
    const now = new Set(loadRecent().map(({ token }) => token));
    const back = all.filter((each) => isGone(each) && !now.has(each.token));
    save([...loadRecent(), ...back].sort((one, other) => other.at - one.at));
  };
}

/** Return a text's first words. */
export function titleOf(text: string): string {
  const line = text
    .slice(0, 2000)
    .split("\n")
    .find((each) => each.trim() !== "");
  return (line ?? "").trim().slice(0, TITLE_LENGTH);
}

function save(recent: readonly Recent[]): void {
  write(RECENT, JSON.stringify(recent.slice(0, MOST_RECENT)));
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
