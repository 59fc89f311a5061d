/** The menu behind the three dots. */

import { part } from "./elements.js";
import { backToText } from "./focus.js";

/** Let the menu's buttons, by their ids, do something; `checks` say of some whether they are on. */
export function setUpMenu(
  actions: Readonly<Record<string, () => void>>,
  checks: Readonly<Record<string, () => boolean>>,
): void {
  const button = part("menu-button", HTMLButtonElement);
  const list = part("menu-list", HTMLElement);
  const items = [...list.querySelectorAll("button")];
  const open = (isOpen: boolean): void => {
    list.hidden = !isOpen;
    button.ariaExpanded = String(isOpen);
    for (const [id, isOn] of Object.entries(checks)) part(id, HTMLButtonElement).ariaChecked = String(isOn());
    if (isOpen) items[0]?.focus();
  };
  button.addEventListener("click", () => open(list.hidden !== false));
  document.addEventListener("pointerdown", ({ target }) => {
    if (!(target instanceof Node && part("menu", HTMLElement).contains(target))) open(false);
  });
  list.addEventListener("keydown", (event) => {
    const index = items.findIndex((item) => item === document.activeElement);
    const steps: Record<string, number> = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: -1 };
    const step = steps[event.key];
    if (event.key === "Escape") {
      open(false);
      if (!backToText()) button.focus();
    } else if (event.key === "Tab") {
      open(false);
    } else if (step !== undefined) {
      items.at(step % items.length)?.focus();
      event.preventDefault();
    }
  });
  for (const [id, act] of Object.entries(actions)) {
    part(id, HTMLButtonElement).addEventListener("click", () => {
      open(false);
      if (!backToText()) button.focus();
      act();
    });
  }
}
