/** News of people, told in a toast when no other is shown: who has joined or left, new names, and a new language. */

import type { Peer } from "../client/index.js";
import { Comings } from "./comings.js";
import { afterToasts, isToastShown, showToast } from "./toast.js";

export class News {
  readonly #comings = new Comings();
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Whether there was no connection just now. */
  #isBack = false;

  /** Words about the last choice of a language, until they are told. */
  #choice = "";

  constructor() {
    afterToasts(() => this.#look());
  }

  /** These others are here now, and nobody else; null: there is no connection, so that nobody is seen. */
  update(peers: readonly Peer[] | null): void {
    if (peers !== null) this.#comings.update(peers, Date.now(), this.#isBack);
    this.#isBack = peers === null;
    this.#look();
  }

  /** The client `id` is another window of one's own: nobody comes or leaves with it. */
  forget(id: string): void {
    this.#comings.forget(id);
  }

  /** Somebody has chosen another language. */
  chosen(sentence: string): void {
    this.#choice = sentence;
    this.#look();
  }

  #look(): void {
    clearTimeout(this.#timer);
    const now = Date.now();
    const due = this.#choice !== "" ? now : this.#comings.due;
    // It is looked again when the toast has gone.
    if (due === null || isToastShown()) return;
    if (due > now) {
      this.#timer = setTimeout(() => this.#look(), due - now);
      return;
    }
    const sentence = [this.#comings.take(now), this.#choice].filter(Boolean).join(" ");
    this.#choice = "";
    if (sentence === "") this.#look();
    else showToast(sentence);
  }
}
