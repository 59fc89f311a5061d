/** The dialog in which links are made. */

import type { Mode } from "../client/index.js";
import { ApiError, createLink } from "./api.js";
import { copyText, part } from "./elements.js";
import { formatAddress } from "./address.js";

const dialog = part("share-dialog", HTMLDialogElement);
const form = part("share-form", HTMLFormElement);
const modes = part("share-mode", HTMLFieldSetElement);
const expiry = part("share-expiry", HTMLSelectElement);
const button = part("share-make", HTMLButtonElement);
const result = part("share-result", HTMLElement);
const link = part("share-link", HTMLInputElement);
const note = part("share-note", HTMLElement);

/** Let the dialog make links from `token`; `current` says what the token is good for, and the language, now. */
export function setUpShare(token: string, current: () => { mode: Mode; language: string }): void {
  part("share", HTMLButtonElement).addEventListener("click", () => {
    const { mode } = current();
    for (const radio of modes.querySelectorAll("input")) {
      radio.disabled = mode === "view_only" && radio.value === "edit";
      radio.checked = radio.value === mode;
    }
    begin();
    dialog.showModal();
  });
  // A link that is shown is one for what is chosen.
  form.addEventListener("input", begin);
  link.addEventListener("focus", () => link.select());
  button.addEventListener("click", () => void share(token, current().language));
}

function begin(): void {
  result.hidden = true;
  say("");
}

async function share(token: string, language: string): Promise<void> {
  const mode = new FormData(form).get("mode") === "edit" ? "edit" : "view_only";
  const seconds = expiry.value === "" ? null : Number(expiry.value);
  button.disabled = true;
  say("");
  try {
    const made = await createLink(token, mode, seconds);
    link.value = formatAddress(made.token, language);
    result.hidden = false;
    const copied = await copyText(link.value);
    if (!copied) link.focus();
    const until = made.expires === null ? "" : ` It works until ${new Date(made.expires * 1000).toLocaleString()}.`;
    say((copied ? "Copied." : "Copy it from here.") + until);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    say(`No link was made: ${error.message}`, "bad");
  } finally {
    button.disabled = false;
  }
}

function say(sentence: string, kind = ""): void {
  note.textContent = sentence;
  note.dataset["kind"] = kind;
}
