/** The page in place of a codespace that cannot be shown. */

import { ApiError } from "./api.js";
import { part, make } from "./elements.js";
import type { Failure } from "./failure.js";
import { findRecent, forgetRecent } from "./memory.js";
import { goToNew } from "./start.js";
import { setTitle } from "./titles.js";

const OF_CODESPACES = [
  "share",
  "menu",
  "people",
  "mode",
  "link-end",
  "heading",
  "editor",
  "footer",
  "detail",
  "banner",
];

/** Show why there is no codespace, and what can be done; `token` is that of the link, `note` a word for those who help. */
export function showFailure({ title, sentence, mayWork }: Failure, token = "", note = ""): void {
  for (const id of OF_CODESPACES) part(id, HTMLElement).hidden = true;
  part("failure-title", HTMLElement).textContent = title;
  const text = part("failure-text", HTMLElement);
  text.textContent = sentence;
  const button = (label: string, act: () => void, kind = ""): HTMLButtonElement => {
    const made = make("button", label, kind);
    made.type = "button";
    made.addEventListener("click", act);
    return made;
  };
  const start = (): void => location.assign("./");
  const buttons = [
    button("New codespace", () => void makeNew(text), mayWork ? "" : "primary"),
    button("Start page", start),
  ];
  if (mayWork) buttons.unshift(button("Try again", () => location.reload(), "primary"));
  if (findRecent(token)) buttons.push(button("Forget this link", () => (forgetRecent(token), start())));
  part("failure-actions", HTMLElement).replaceChildren(...buttons);
  part("failure-note", HTMLElement).textContent = note;
  part("failure", HTMLElement).hidden = false;
  setTitle(title);
  buttons[0]!.focus();
}

async function makeNew(text: HTMLElement): Promise<void> {
  try {
    await goToNew("", "python", (sentence) => (text.textContent = sentence));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    text.textContent = `No codespace was made: ${error.message}.`;
  }
}
