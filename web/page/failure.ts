/** Reasons for which there is no codespace to show, in words for the person who opened the link. */

import { moment } from "./times.js";

/** The end of a connection that does not come back, and what this browser knows of the link. */
export interface End {
  /** A close code of the protocol. */
  readonly code: number;
  /** Time at which the link ends, as `Date.now()`; null if it names none. */
  readonly linkEnd: number | null;
  /** Whether the codespace was open in this browser before. */
  readonly known: boolean;
  readonly now: number;
}

export interface Failure {
  readonly title: string;
  readonly sentence: string;
  /** Whether the same address may work later. */
  readonly mayWork: boolean;
}

/** Milliseconds by which this device's clock may be behind the server's. */
const CLOCK_MS = 120_000;

/** A link that is not whole, or has something in it that belongs to none. */
export const BROKEN: Failure = {
  title: "This link is not whole.",
  sentence: "It may have been cut off, or something may have been added to it. Ask for it again, or copy all of it.",
  mayWork: false,
};

/** Return why a connection has ended for good. */
export function failureOf({ code, linkEnd, known, now }: End): Failure {
  switch (code) {
    case 1000:
      return {
        title: "This codespace is open in another window.",
        sentence: "Go on typing in the other window, or use it here.",
        mayWork: true,
      };
    case 4401:
      return known
        ? {
            title: "The server does not know this link any more.",
            sentence:
              "It worked in this browser before. The server was probably started again without the texts that it had.",
            mayWork: true,
          }
        : {
            title: "This link does not work.",
            sentence: "It may have been cut off when it was sent. Ask for it again.",
            mayWork: false,
          };
    case 4403:
      return {
        title: "This link does not let you in.",
        sentence: "Only people with an invitation make codespaces on this server. Ask for a link.",
        mayWork: false,
      };
    case 4404:
    case 4410:
      return linkEnd !== null && linkEnd <= now + CLOCK_MS
        ? {
            title: `This link ended ${moment(linkEnd, now)}.`,
            sentence: "The person who gave it to you can give you a new one.",
            mayWork: false,
          }
        : {
            title: "This codespace is gone.",
            sentence: "A codespace ends when nobody has opened it for a while. It can also be deleted.",
            mayWork: false,
          };
    case 1009:
      return {
        title: "An edit was too large for the server.",
        sentence: "Load the page again, and insert the text in smaller parts.",
        mayWork: true,
      };
    default:
      return {
        title: "This page and the server do not understand each other.",
        sentence: "The server may have been updated. Load the page again.",
        mayWork: true,
      };
  }
}
