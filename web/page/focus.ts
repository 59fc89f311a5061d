/** The place of the keyboard: back in the text when what was pressed beside it is done. */

import { part } from "./elements.js";

let text: { focus(): void } | null = null;
/** Whether the text had the keyboard until something beside it was pressed, by mouse or finger. */
let isText = false;

/** Take `view`, in the page's editor, as the text. */
export function keepFocus(view: { focus(): void }): void {
  const host = part("editor", HTMLElement);
  text = view;
  const inText = (): void => {
    if (document.activeElement === host) isText = true;
  };
  host.addEventListener("focusin", inText);
  document.addEventListener("pointerdown", inText, { capture: true });
  // The keyboard's own way leads back where it came from.
  document.addEventListener("keydown", ({ key }) => key === "Tab" && (isText = false), { capture: true });
}

/** Put the keyboard back into the text, if it came from there; return whether it did. */
export function backToText(): boolean {
  if (isText) text?.focus();
  return isText && text !== null;
}

/** Hide something: if the keyboard was in it, it goes back to the text. */
export function hideWithFocus(element: HTMLElement, hide: () => void): void {
  const had = element.contains(document.activeElement);
  hide();
  if (had) backToText();
}
