/** The strip above the editor that says what needs saying, one thing at a time, with what can be done about it. */

import { make, part } from "./elements.js";
import { hideWithFocus } from "./focus.js";

/** What a button of a banner does, under its label. */
export type Action = readonly [label: string, act: () => void];

const banner = part("banner", HTMLElement);
const text = part("banner-text", HTMLParagraphElement);
const actions = part("banner-actions", HTMLDivElement);

/** What is said now, so that the same is not said again; empty: nothing. */
let shown = "";

/** Say something until `hideBanner` is given the same key, or something else is said. */
export function showBanner(
  key: string,
  kind: "note" | "wait" | "bad",
  sentence: string,
  what: readonly Action[] = [],
): void {
  if (shown === key && text.textContent === sentence) return;
  shown = key;
  banner.dataset["kind"] = kind;
  text.textContent = sentence;
  actions.replaceChildren(
    ...what.map(([label, act]) => {
      const button = make("button", label);
      button.type = "button";
      button.addEventListener("click", act);
      return button;
    }),
  );
  banner.hidden = false;
}

/** Say nothing any more, if what is said was said under that key. */
export function hideBanner(key: string): void {
  if (shown !== key) return;
  shown = "";
  hideWithFocus(banner, () => (banner.hidden = true));
}
