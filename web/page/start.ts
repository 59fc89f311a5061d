/** The start page: a new codespace, and those that were open here. */

import { formatHash } from "./address.js";
import { untilTaken } from "./again.js";
import { ApiError, createCodespace } from "./api.js";
import { part } from "./elements.js";
import { rememberRecent, titleOf } from "./memory.js";
import { showRecent } from "./recent.js";

/**
 * Go to a new codespace with that text in it; `tell` is told what to show while the server refuses it for now.
 * Rejects with an `ApiError` if there is none to be had, and with the reason of `signal` when that is aborted.
 */
export async function goToNew(
  text: string,
  language: string,
  tell: (sentence: string) => void,
  signal?: AbortSignal,
): Promise<void> {
  const { token } = (await untilTaken(() => createCodespace(text), tell, signal)).edit;
  // The link is the only key to it.
  rememberRecent({ token, language, title: titleOf(text), at: Date.now(), mode: "edit" });
  // Reloaded, since another codespace is another page.
  history.pushState({ isNew: true }, "", `./${formatHash(token, language)}`);
  location.reload();
}

export function showStart(): void {
  const button = part("start-new", HTMLButtonElement);
  const failure = part("start-error", HTMLElement);
  const tell = (sentence: string): void => {
    failure.textContent = sentence;
    failure.hidden = false;
  };
  button.addEventListener("click", () => {
    button.disabled = true;
    failure.hidden = true;
    goToNew("", "python", tell).catch((error: unknown) => {
      if (!(error instanceof ApiError)) throw error;
      button.disabled = false;
      tell(`No codespace was made: ${error.message}`);
    });
  });
  showRecent();
  part("start", HTMLElement).hidden = false;
  button.focus();
}
