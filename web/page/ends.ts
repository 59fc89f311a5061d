/** The end of a link: when it is, what is said before it, and what may still be shared. */

import { moment } from "./times.js";

const MINUTE_MS = 60_000;
/** Milliseconds before the end at which one is warned, the last first. */
const WARNINGS_MS = [MINUTE_MS, 5 * MINUTE_MS];

/** A choice of how long a new link works; null: as long as the codespace. */
export interface Choice {
  readonly seconds: number | null;
  readonly name: string;
}

const CHOICES: readonly Choice[] = [
  { seconds: 3600, name: "in an hour" },
  { seconds: 86_400, name: "in a day" },
  { seconds: 604_800, name: "in a week" },
];

/**
 * Return when a link ends, in milliseconds since 1970; null if it names no end.
 *
 * A link is a JSON Web Token whose claims anybody can read. The server alone checks them.
 */
export function linkEnd(token: string): number | null {
  try {
    const claims = token.split(".")[1]!.replaceAll("-", "+").replaceAll("_", "/");
    const { exp } = JSON.parse(atob(claims)) as { exp?: unknown };
    return typeof exp === "number" ? exp * 1000 : null;
  } catch {
    return null;
  }
}

/** Return the warning that holds at `now`, as the minutes before the end for which it stands; null: none yet. */
export function warningAt(end: number, now: number): number | null {
  const left = end - now;
  const due = WARNINGS_MS.find((before) => left <= before);
  return due === undefined || left <= 0 ? null : due / MINUTE_MS;
}

/** Return the time of the next warning, or of the end; null behind the end. */
export function nextChange(end: number, now: number): number | null {
  const times = [...WARNINGS_MS.map((before) => end - before), end].sort((one, other) => one - other);
  return times.find((at) => at > now) ?? null;
}

/** Return the choices for a new link by the bearer of one that ends at `end`: none of them is for longer. */
export function choicesWithin(end: number | null, now: number): readonly Choice[] {
  const within = CHOICES.filter(({ seconds }) => end === null || now + seconds! * 1000 < end);
  const last = end === null ? "never" : `${moment(end, now)}, as your own link`;
  return [...within, { seconds: null, name: last }];
}
