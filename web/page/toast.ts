/** A few words over the footer that go by themselves: something has been done. */

import { make, part } from "./elements.js";
import { hideWithFocus } from "./focus.js";

/** Milliseconds for which it shows; longer if there is something to press. */
const SHOWN_MS = 4000;
const SHOWN_WITH_BUTTON_MS = 10_000;

let timer: ReturnType<typeof setTimeout> | undefined;
let onHidden: (() => void) | null = null;

export function isToastShown(): boolean {
  return "shown" in part("toast", HTMLElement).dataset;
}

/** Have `act` called each time when a toast has gone. */
export function afterToasts(act: () => void): void {
  onHidden = act;
}

/** Show a sentence in place of the last one, and have it read out; `action` adds a button, as "Undo". */
export function showToast(sentence: string, action?: readonly [label: string, act: () => void]): void {
  const toast = part("toast", HTMLElement);
  toast.replaceChildren(make("span", sentence));
  if (action) {
    const [label, act] = action;
    const button = toast.appendChild(make("button", label));
    button.type = "button";
    button.addEventListener("click", () => (hideToast(), act()));
  }
  toast.dataset["shown"] = "";
  clearTimeout(timer);
  timer = setTimeout(hideToast, action ? SHOWN_WITH_BUTTON_MS : SHOWN_MS);
}

export function hideToast(): void {
  clearTimeout(timer);
  const toast = part("toast", HTMLElement);
  hideWithFocus(toast, () => toast.replaceChildren());
  delete toast.dataset["shown"];
  onHidden?.();
}
