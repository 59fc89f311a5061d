/** Refused edits, in words for the person who made them. */

import type { Transaction } from "@codemirror/state";

import { hasHalves, insertedBy } from "./changes.js";
import type { Limits, RefusedFrame } from "./protocol.js";

/** Refusals that say nothing of the edits: with the newest text under them they may be pushed again. */
export const STALE: ReadonlySet<string> = new Set(["too_old", "too_new", "seq", "in_flight"]);

/** Edits that were refused, and that are taken back. */
export interface Refusal {
  /**
   * As the protocol has it; `too_large`, `invalid` and `stray` if the server was not asked; `set_aside` for a text that an
   * earlier page kept.
   */
  readonly code: string;
  /** Reason and advice, to stand after a colon. */
  readonly reason: string;
  /** Text that the edits had inserted. */
  readonly inserted: string;
  /** Let a text that an earlier page kept be offered no more. */
  readonly forget?: () => void;
}

/** Reason for an end, where the server does not know that there was another codespace before. */
export const ANOTHER_LIFE =
  "this codespace has expired, and another one has begun at its address; its text is still on this screen";

/** Reasons that need no figures. */
export const VIEW_ONLY = "this link is for viewing only";
const HALVES = "it has half of a character that must stay whole, such as an emoji; insert or select all of it";
const STRAY = "it was made upon one that cannot be saved; make it again";

/** Return the reason for a text that was found in edits of an earlier page, which cannot be read. */
export function unreadable(text: string): string {
  const found = text === "" ? "no text was found in it" : "this text was found in it";
  return `it was kept in a form that this page cannot read, and ${found}`;
}

/** Return the reason for an edit that makes a text too long. */
function tooLong(limits: Limits | null): string {
  const most = limits === null ? "" : ` of ${limits.text_units} characters`;
  return `it makes the text longer than the limit${most}; insert less, or delete something first`;
}

/** Return the refusal of an edit that no server takes; null for any other. `isStray`: it is made upon such an edit. */
export function refusalOf(edit: Transaction, isStray: boolean, limits: Limits | null): Refusal | null {
  const { changes, startState, newDoc } = edit;
  const refusal = (code: string, reason: string): Refusal => ({ code, reason, inserted: insertedBy(changes) });
  if (isStray) return refusal("stray", STRAY);
  const most = Math.max(limits?.text_units ?? Infinity, startState.doc.length);
  if (newDoc.length > most) return refusal("too_large", tooLong(limits));
  return hasHalves(changes, startState.doc) ? refusal("invalid", HALVES) : null;
}

/** Return the reason of a server for the person who made the edit. */
export function reasonOf(frame: RefusedFrame, limits: Limits | null): string {
  switch (frame.code) {
    case "too_long":
      return tooLong(limits);
    case "too_much":
      return "it changes too many places at once while others type; change one part of the text after the other";
    case "view_only":
      return VIEW_ONLY;
    case "invalid":
      return `the server cannot place it in the text (${frame.reason}); copy it, and insert it again`;
    default:
      return frame.reason;
  }
}
