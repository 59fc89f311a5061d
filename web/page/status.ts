/** The state of the connection in the footer: a shape and words, and one line more for those who press it. */

import { part } from "./elements.js";
import { SHAPES, shownOf, type Known, type Look } from "./state.js";

const button = part("connection", HTMLButtonElement);
const shape = part("connection-shape", HTMLElement);
const text = part("connection-text", HTMLElement);
const detail = part("detail", HTMLElement);
const detailText = part("detail-text", HTMLElement);
const retryButton = part("detail-retry", HTMLButtonElement);
const announcer = part("announcer", HTMLElement);

/** Shows what is known of a connection, and what time makes of that. */
export class StatusLine {
  #known: Known | null = null;
  #look: Look = "saving";
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `retry` has the connection try again at once. */
  constructor(retry: () => void) {
    button.addEventListener("click", () => {
      detail.hidden = !detail.hidden;
      button.ariaExpanded = String(!detail.hidden);
    });
    retryButton.addEventListener("click", retry);
    // Timers stand still while a device sleeps.
    document.addEventListener("visibilitychange", () => this.#show());
  }

  get look(): Look {
    return this.#look;
  }

  update(known: Known): void {
    this.#known = known;
    this.#show();
  }

  #show(): void {
    if (this.#known === null) return;
    clearTimeout(this.#timer);
    const now = Date.now();
    const shown = shownOf(this.#known, now);
    if (shown.again !== null) this.#timer = setTimeout(() => this.#show(), Math.max(shown.again - now, 0));
    const isRoutine = (look: Look): boolean => look === "saved" || look === "saving";
    if (shown.look !== this.#look && !(isRoutine(shown.look) && isRoutine(this.#look))) {
      announcer.textContent = shown.text;
    }
    this.#look = shown.look;
    document.body.dataset["look"] = shown.look;
    shape.textContent = SHAPES[shown.look];
    // What does not change is not written again: it may be selected, and it may be read out.
    if (text.textContent !== shown.text) text.textContent = shown.text;
    if (detailText.textContent !== shown.detail) detailText.textContent = shown.detail;
    retryButton.hidden = !shown.canRetry;
  }
}
