/** The dialog in which links are made. */

import type { Mode } from "../client/index.js";
import { formatAddress } from "./address.js";
import { ApiError, createLink, type Link } from "./api.js";
import { copyText, make, part } from "./elements.js";
import { choicesWithin } from "./ends.js";
import { backToText } from "./focus.js";
import { moment } from "./times.js";

const dialog = part("share-dialog", HTMLDialogElement);
const form = part("share-form", HTMLFormElement);
const modes = part("share-mode", HTMLFieldSetElement);
const modeNote = part("share-mode-note", HTMLElement);
const expiry = part("share-expiry", HTMLSelectElement);
const button = part("share-make", HTMLButtonElement);
const result = part("share-result", HTMLElement);
const link = part("share-link", HTMLInputElement);
const note = part("share-note", HTMLElement);

/** Links that were made, by what was chosen: one choice is one link. */
const made = new Map<string, Link>();

/** The page around the dialog. */
export interface Around {
  /** What the token is good for now. */
  mode(): Mode;
  language(): string;
  /** Hears of each link that was copied. */
  onMade(): void;
}

/** Let the dialog make links from `token`, which ends at `end`, if it does. */
export function setUpShare(token: string, end: number | null, around: Around): void {
  part("share", HTMLButtonElement).addEventListener("click", () => {
    const mode = around.mode();
    for (const radio of modes.querySelectorAll("input")) {
      radio.disabled = mode === "view_only" && radio.value === "edit";
      radio.checked = radio.value === mode;
    }
    modeNote.hidden = mode === "edit";
    offerEnds(end);
    // An hour that has begun is not a whole one.
    for (const key of made.keys()) if (!key.endsWith(" ")) made.delete(key);
    begin();
    dialog.showModal();
  });
  dialog.addEventListener("close", backToText);
  // A link that is shown is one for what is chosen.
  form.addEventListener("input", begin);
  link.addEventListener("focus", () => link.select());
  button.addEventListener("click", () => void share(token, around));
}

function offerEnds(end: number | null): void {
  const options = choicesWithin(end, Date.now()).map(({ seconds, name }) => {
    const option = make("option", name);
    option.value = seconds === null ? "" : String(seconds);
    return option;
  });
  expiry.replaceChildren(...options);
  expiry.value = "";
}

function begin(): void {
  result.hidden = true;
  say("");
}

async function share(token: string, around: Around): Promise<void> {
  const mode = new FormData(form).get("mode") === "edit" ? "edit" : "view_only";
  const key = `${mode} ${expiry.value}`;
  button.disabled = true;
  say("");
  try {
    const answer = made.get(key) ?? (await createLink(token, mode, expiry.value === "" ? null : Number(expiry.value)));
    made.set(key, answer);
    link.value = formatAddress(answer.token, around.language());
    result.hidden = false;
    const copied = await copyText(link.value);
    if (!copied) link.focus();
    around.onMade();
    const ends = answer.expires === null ? "" : ` The link ends ${moment(answer.expires * 1000, Date.now())}.`;
    say((copied ? "Copied." : "This browser does not let pages copy. Copy the link from here.") + ends);
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
