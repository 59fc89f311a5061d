/** The people who are here: discs in the bar, and a dialog with all names, in which one changes one's own. */

import { plainName, type Connection, type PresentPeer } from "../client/index.js";
import { make, makeAvatar, part } from "./elements.js";
import { backToText } from "./focus.js";
import { saveName } from "./memory.js";
import { byName, initialsOf, isolated, NAMELESS } from "./names.js";
import { hideToast, showToast } from "./toast.js";
import type { OwnWindows } from "./windows.js";

/** Discs that there is room for, beside one's own. */
const MOST_AVATARS = 4;

const button = part("people", HTMLButtonElement);
const label = part("people-label", HTMLElement);
const avatars = part("avatars", HTMLElement);
const dialog = part("people-dialog", HTMLDialogElement);
const title = part("people-title", HTMLElement);
const ownDisc = part("own-disc", HTMLElement);
const ownName = part("own-name", HTMLElement);
const list = part("people-list", HTMLUListElement);
const none = part("people-none", HTMLElement);
const rename = part("rename", HTMLButtonElement);
const form = part("name-form", HTMLFormElement);
const input = part("name", HTMLInputElement);

export class People {
  readonly #connection: Connection;
  readonly #windows: OwnWindows;

  constructor(connection: Connection, windows: OwnWindows) {
    this.#connection = connection;
    this.#windows = windows;
    button.addEventListener("click", () => this.open());
    rename.addEventListener("click", () => this.#edit(form.hidden !== false));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#save();
      rename.focus();
    });
    form.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      // It ends the change of the name, and not the dialog.
      event.preventDefault();
      this.#edit(false);
      rename.focus();
    });
    part("people-done", HTMLButtonElement).addEventListener("click", () => this.#save());
    dialog.addEventListener("close", backToText);
    this.show();
  }

  /** Open the dialog; `isRenaming`: with one's name to be changed. */
  open(isRenaming = false): void {
    this.#edit(false);
    hideToast();
    dialog.showModal();
    list.scrollTop = 0;
    if (isRenaming) this.#edit(true);
  }

  /** Show who is here now. */
  show(): void {
    const { peers, id, name, color } = this.#connection;
    const own: PresentPeer = { id, name: plainName(name), color, wasHere: true, mode: this.#connection.status.mode };
    const windows = peers.filter((peer) => this.#windows.has(peer.id));
    const others = peers.filter((peer) => !this.#windows.has(peer.id));
    const inOrder = [own, ...windows, ...byName(others)];
    const initials = new Map(initialsOf(inOrder.map((each) => each.name)).map((each, at) => [inOrder[at]!.id, each]));
    const disc = (peer: PresentPeer): HTMLElement =>
      makeAvatar(peer.name || NAMELESS, peer.color, initials.get(peer.id)!);
    button.hidden = false;
    label.textContent = `Who is here: ${counted(windows.length, others.length)}`;
    const discs = [own, ...others].slice(0, MOST_AVATARS + 1).map(disc);
    if (others.length > MOST_AVATARS) discs.push(make("span", `+${others.length - MOST_AVATARS}`, "avatar more"));
    avatars.replaceChildren(...discs);
    title.textContent = `Who is here (${others.length + 1})`;
    ownDisc.replaceChildren(disc(own));
    ownName.textContent = own.name || NAMELESS;
    none.hidden = others.length > 0;
    list.hidden = inOrder.length === 1;
    const rows = inOrder.slice(1).map((peer) => {
      const item = make("li", "", "person");
      const notes = [
        this.#windows.has(peer.id) ? "you, other window" : "",
        peer.mode === "view_only" ? "viewing" : "",
      ].filter(Boolean);
      item.append(disc(peer), make("bdi", peer.name || NAMELESS), make("small", notes.join(", ")));
      return item;
    });
    list.replaceChildren(...rows);
  }

  #edit(isEdited: boolean): void {
    form.hidden = !isEdited;
    rename.ariaExpanded = String(isEdited);
    if (!isEdited) return;
    input.value = plainName(this.#connection.name);
    input.select();
    input.focus();
  }

  /** Take the name that was typed, if one is typed and is another. */
  #save(): void {
    const name = plainName(input.value);
    const isNew = !form.hidden && name !== "" && name !== this.#connection.name;
    this.#edit(false);
    if (!isNew) return;
    saveName(name);
    this.#connection.name = name;
    showToast(`You are ${isolated(name)} now.`);
    this.show();
  }
}

function counted(windows: number, others: number): string {
  const own = windows > 0 ? `you, in ${windows + 1} windows` : "you";
  if (others === 0) return `nobody but ${own}`;
  return `${own}${windows > 0 ? "," : ""} and ${others} more`;
}
