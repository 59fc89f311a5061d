/** The codespaces that were open in this browser, on the start page: to open, to name, to forget. */

import { formatHash } from "./address.js";
import { make, part } from "./elements.js";
import { linkEnd } from "./ends.js";
import { languageOf } from "./languages.js";
import { forgetRecent, loadRecent, renameRecent, type Recent } from "./memory.js";
import { ago, until } from "./times.js";
import { showToast } from "./toast.js";

/** Entries that are shown before one asks for all. */
const SHOWN_AT_FIRST = 8;

const section = part("recent", HTMLElement);
const list = part("recent-list", HTMLUListElement);
const moreButton = part("recent-more", HTMLButtonElement);
const forgetButton = part("recent-forget", HTMLButtonElement);

/** Show them, and let one forget them. */
export function showRecent(): void {
  moreButton.addEventListener("click", () => {
    delete section.dataset["short"];
    show();
    list.querySelectorAll("a")[SHOWN_AT_FIRST]?.focus();
  });
  forgetButton.addEventListener("click", () => forget());
  section.dataset["short"] = "";
  show();
}

function show(): void {
  const recent = loadRecent();
  const count = section.dataset["short"] === undefined ? recent.length : SHOWN_AT_FIRST;
  section.hidden = recent.length === 0;
  moreButton.hidden = recent.length <= count;
  moreButton.textContent = `Show all ${recent.length}`;
  list.replaceChildren(...recent.slice(0, count).map(makeItem));
}

function makeItem(recent: Recent): HTMLLIElement {
  const { token, language, at, mode } = recent;
  const now = Date.now();
  const item = make("li");
  const link = item.appendChild(make("a"));
  link.href = formatHash(token, language);
  link.append(make(recent.name ? "strong" : "code", titleOf(recent)));
  const end = linkEnd(token);
  const ending = end === null ? "" : end > now ? until(end, now) : "ended";
  const notes = [languageOf(language).name, mode === "view_only" ? "view only" : "", ending].filter(Boolean);
  link.append(make("small", notes.join(", ")));
  const when = link.appendChild(make("time", ago(at, now)));
  when.dateTime = new Date(at).toISOString();
  when.title = new Date(at).toLocaleString([], { dateStyle: "full", timeStyle: "short" });
  item.append(
    makeButton("✎", `Rename ${titleOf(recent)}`, () => rename(item, recent)),
    makeButton("×", `Forget ${titleOf(recent)}`, () => forget(recent)),
  );
  return item;
}

function titleOf({ name, title }: Recent): string {
  return name ?? (title || "empty");
}

function makeButton(sign: string, label: string, act: () => void): HTMLButtonElement {
  const button = make("button", sign, "quiet");
  button.type = "button";
  button.title = label;
  button.ariaLabel = label;
  button.addEventListener("click", act);
  return button;
}

/** Have an entry's name typed in its place: Enter takes it, Escape leaves what was. */
function rename(item: HTMLLIElement, recent: Recent): void {
  const input = make("input");
  input.type = "text";
  input.maxLength = 60;
  input.value = titleOf(recent);
  input.ariaLabel = "Name of the codespace in this browser";
  const end = (name: string | null): void => {
    if (!input.isConnected) return;
    if (name !== null && name !== titleOf(recent)) renameRecent(recent.token, name);
    const index = [...list.children].indexOf(item);
    show();
    list.children[index]?.querySelector("a")?.focus();
  };
  input.addEventListener("keydown", ({ key }) => {
    if (key === "Enter") end(input.value);
    if (key === "Escape") end(null);
  });
  input.addEventListener("blur", () => end(input.value));
  item.replaceChildren(input);
  input.select();
}

/** Forget an entry, or all of them, for the time being until one does not want it back. */
function forget(recent?: Recent): void {
  const back = forgetRecent(recent?.token);
  show();
  const words = recent ? `Forgot ${titleOf(recent)}.` : "Forgot all codespaces.";
  showToast(words, ["Undo", () => (back(), show())]);
  (section.hidden ? part("start-new", HTMLButtonElement) : forgetButton).focus();
}
