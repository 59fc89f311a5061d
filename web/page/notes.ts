/** The note of an open codespace in this browser: made at once, kept current, and written when the page goes. */

import type { Mode } from "../client/index.js";
import { rememberRecent } from "./memory.js";

/** Milliseconds between two notes while somebody types. */
const SOON_MS = 5000;

/** The part of a codespace that is noted. */
export interface Noted {
  readonly token: string;
  readonly language: string;
  readonly title: string;
  readonly mode: Mode;
}

/** Notes what `now` returns. */
export class Notes {
  readonly #now: () => Noted;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(now: () => Noted) {
    this.#now = now;
    addEventListener("pagehide", () => this.#timer !== undefined && this.write());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden" && this.#timer !== undefined) this.write();
    });
  }

  /** Write a note within some seconds. */
  soon(): void {
    this.#timer ??= setTimeout(() => this.write(), SOON_MS);
  }

  /** Write a note now. */
  write(): void {
    this.stop();
    rememberRecent({ ...this.#now(), at: Date.now() });
  }

  /** Write nothing more for now. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
