/** The state of the connection as people read it: a look, a shape and words, from what the client knows and the time. */

import type { Status } from "../client/index.js";
import { clock } from "./times.js";

/** The five states; each has a shape, a colour and words of its own. */
export type Look = "saved" | "saving" | "slow" | "away" | "ended";

export const SHAPES: Readonly<Record<Look, string>> = {
  saved: "●",
  saving: "◐",
  slow: "▲",
  away: "■",
  ended: "✕",
};

/** The client's status, and the times that the page has noted. All times are as `Date.now()`. */
export interface Known extends Status {
  /** Time since which there is no connection, or since which it has ended; null while there is one. */
  readonly awaySince: number | null;
  /** Time since which the browser says that there is no network; null while it does not. */
  readonly offlineSince: number | null;
  /** Time since which there are unsaved edits at each moment, whatever the connection; null while there are none. */
  readonly unsavedSince: number | null;
}

export interface Shown {
  readonly look: Look;
  readonly text: string;
  /** One line more, for those who ask. */
  readonly detail: string;
  /** Whether "Try now" is of use. */
  readonly canRetry: boolean;
  /** Time at which this may have become untrue by time alone; null: never. */
  readonly again: number | null;
}

/** Milliseconds for which edits may be unsaved before that is worth a word. */
export const SAVING_MS = 600;
/** Milliseconds without an answer, to a push or to a question, after which the server counts as slow. */
export const SLOW_MS = 3000;
/** Milliseconds in which most connections that were lost are back. */
export const BRIEF_MS = 1000;
/** Milliseconds between two new counts of seconds. */
const STEP_MS = 1000;

/** Return what is shown of `known` at the time `now`. */
export function shownOf(known: Known, now: number): Shown {
  if (known.state === "closed") return ended(known, now);
  // A server on this machine is heard without a network.
  const isHeard = known.state === "connected" && (known.heardAt ?? 0) > (known.offlineSince ?? now);
  if (known.offline && !isHeard) return away(known, now, "No network", "This device has no network.");
  if (known.state === "connected") return connected(known, now);
  if (known.state === "connecting" && known.ended === null)
    return { look: "saving", text: "Connecting…", detail: "The server is being asked.", canRetry: false, again: null };
  const since = known.awaySince ?? now;
  if (now - since < BRIEF_MS) {
    const detail = "The connection was lost a moment ago.";
    return { look: "saving", text: "Reconnecting…", detail, canRetry: known.retryAt !== null, again: since + BRIEF_MS };
  }
  return away(known, now, "No connection", "The server does not answer.");
}

function connected(known: Known, now: number): Shown {
  const { storage, storageReason, unsaved, mode, heardAt, silentAt, askedAt, waitingSince, unsavedSince } = known;
  if (storage === "down") {
    const text = unsaved > 0 ? `The server cannot save now, ${edits(unsaved)} waiting` : "The server cannot save now";
    return {
      look: "slow",
      text,
      detail: `${storageReason ? `${sentence(storageReason)} ` : ""}The server tries again by itself. ${fate(known)}`,
      canRetry: false,
      again: null,
    };
  }
  const waited = unsaved > 0 && waitingSince !== null ? now - waitingSince : 0;
  if (waited >= SLOW_MS) {
    const detail = `The server has not answered for ${seconds(waited)}. ${fate(known)}`;
    return { look: "slow", text: `Slow, ${edits(unsaved)} waiting`, detail, canRetry: false, again: now + STEP_MS };
  }
  const silence = heardAt === null ? 0 : now - heardAt;
  if ((silentAt !== null && now >= silentAt) || (askedAt !== null && now - askedAt >= SLOW_MS)) {
    const detail = "The server has said nothing since; the text on this screen may be old.";
    return {
      look: "slow",
      text: `Last heard ${seconds(silence)} ago`,
      detail,
      canRetry: false,
      again: now + STEP_MS,
    };
  }
  const slow = earliest([unsaved > 0 ? waitingSince : null, SLOW_MS], [silentAt, 0], [askedAt, SLOW_MS]);
  if (unsavedSince !== null && now - unsavedSince >= SAVING_MS) {
    const detail = `${capital(edits(unsaved))} on the way to the server.`;
    return { look: "saving", text: "Saving…", detail, canRetry: false, again: slow };
  }
  const [text, detail] =
    mode === "view_only"
      ? ["Up to date", "This screen shows the text as it is on the server."]
      : ["Saved", "All edits are on the server."];
  return { look: "saved", text, detail, canRetry: false, again: earliest([slow, 0], [unsavedSince, SAVING_MS]) };
}

function away(known: Known, now: number, word: string, why: string): Shown {
  const { unsaved, kept, retryAt, offline } = known;
  const waiting =
    unsaved === 0 ? "" : kept ? `, ${edits(unsaved)} kept here` : `, ${edits(unsaved)} not saved: keep this page open`;
  const next = retryAt === null || offline ? "" : ` Next attempt in ${seconds(Math.max(retryAt - now, 0))}.`;
  return {
    look: "away",
    text: word + waiting,
    detail: `${why} ${fate(known)}${next}`,
    canRetry: retryAt !== null,
    again: next === "" ? null : now + STEP_MS,
  };
}

function ended({ ended, unsaved, awaySince }: Known, now: number): Shown {
  const lost = unsaved > 0 ? `, ${edits(unsaved)} not saved` : "";
  const word = ended?.code === 1000 ? "Open in another window" : `Ended ${clock(awaySince ?? now)}`;
  const detail = "The text on this screen can be copied and cannot be changed.";
  return { look: "ended", text: `${word}, read-only${lost}`, detail, canRetry: false, again: null };
}

/** Return what becomes of the edits that are typed now. */
export function fate({ mode, kept }: Pick<Known, "mode" | "kept">): string {
  if (mode === "view_only") return "The text on this screen may be old.";
  return kept
    ? "What you type is kept in this browser and sent later."
    : "Keep this page open: what you type cannot be kept in this browser.";
}

/** Return the earliest of times, each so many milliseconds behind something that may not have been. */
function earliest(...times: readonly (readonly [number | null, number])[]): number | null {
  const all = times.flatMap(([since, milliseconds]) => (since === null ? [] : [since + milliseconds]));
  return all.length > 0 ? Math.min(...all) : null;
}

function edits(count: number): string {
  return count === 1 ? "1 edit" : `${count} edits`;
}

function seconds(milliseconds: number): string {
  return `${Math.round(milliseconds / 1000)} s`;
}

function capital(text: string): string {
  return `${text[0]!.toUpperCase()}${text.slice(1)}`;
}

/** Return words as a sentence, as a server's reason. */
export function sentence(words: string): string {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}${/[.…]$/u.test(words) ? "" : "."}`;
}
