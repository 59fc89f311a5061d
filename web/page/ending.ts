/** The end of one's own link in the bar, and the warnings before it. */

import { hideBanner, showBanner, type Action } from "./banner.js";
import { part } from "./elements.js";
import { nextChange, warningAt } from "./ends.js";
import { moment, until } from "./times.js";

/** Milliseconds that a timer of a browser counts at most. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Show when the link ends, and warn in time; `keep` are the ways to keep a copy. */
export class LinkEnd {
  readonly #end: number;
  readonly #keep: readonly Action[];
  #warned: number | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(end: number, keep: readonly Action[]) {
    this.#end = end;
    this.#keep = keep;
    document.addEventListener("visibilitychange", this.#check);
    this.#check();
  }

  /** The connection has ended. */
  stop(): void {
    clearTimeout(this.#timer);
    document.removeEventListener("visibilitychange", this.#check);
    part("link-end", HTMLElement).hidden = true;
    hideBanner("end");
  }

  readonly #check = (): void => {
    clearTimeout(this.#timer);
    const now = Date.now();
    const chip = part("link-end", HTMLElement);
    chip.textContent = until(this.#end, now);
    chip.title = `Your link ends ${moment(this.#end, now)}.`;
    chip.hidden = false;
    const warning = warningAt(this.#end, now);
    if (warning !== null && warning !== this.#warned) {
      const left = warning === 1 ? "in less than a minute" : `in ${warning} minutes at most`;
      const sentence = `Your link ends ${moment(this.#end, now)}, ${left}. Ask for a new one, or keep a copy.`;
      showBanner("end", "wait", sentence, [...this.#keep, ["Close", () => hideBanner("end")]]);
    }
    this.#warned = warning;
    const next = nextChange(this.#end, now);
    if (next !== null) this.#timer = setTimeout(this.#check, Math.min(next - now, LONGEST_TIMER_MS));
  };
}
