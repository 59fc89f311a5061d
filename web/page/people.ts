/** Who is here: the discs in the bar, and the dialog with names and one's own. */

import type { Connection, PresentPeer } from "../client/index.js";
import { make, makeAvatar, part } from "./elements.js";
import { saveName } from "./memory.js";

/** Discs that there is room for, beside one's own. */
const MOST_AVATARS = 4;

const button = part("people", HTMLButtonElement);
const label = part("people-label", HTMLElement);
const avatars = part("avatars", HTMLElement);
const dialog = part("people-dialog", HTMLDialogElement);
const list = part("people-list", HTMLUListElement);
const input = part("name", HTMLInputElement);

/** Let one see who is here, and change one's name. */
export function setUpPeople(connection: Connection): void {
  button.addEventListener("click", () => {
    input.value = connection.name;
    dialog.showModal();
    input.select();
  });
  dialog.addEventListener("close", () => {
    const name = input.value.trim();
    if (name === "" || name === connection.name) return;
    saveName(name);
    connection.name = name;
  });
  showPeople(connection, []);
}

/** Show who is here now. */
export function showPeople(connection: Connection, peers: readonly PresentPeer[]): void {
  const { id, name, color } = connection;
  const own: PresentPeer = { id, name, color, mode: connection.status.mode };
  const all = [own, ...peers];
  const named = all.map((peer) => peer.name || "guest");
  button.hidden = false;
  label.textContent = `Who is here: ${all.length === 1 ? "nobody but you" : `you and ${peers.length} more`}`;
  const discs = all.slice(0, MOST_AVATARS + 1).map((peer, index) => makeAvatar(named[index]!, peer.color));
  if (all.length > discs.length) discs.push(make("span", `+${all.length - discs.length}`, "avatar more"));
  avatars.replaceChildren(...discs);
  list.replaceChildren(
    ...all.map((peer, index) => {
      const item = make("li");
      const disc = makeAvatar(named[index]!, peer.color);
      disc.ariaHidden = "true";
      const notes = [index === 0 ? "you" : "", peer.mode === "view_only" ? "looking" : ""].filter(Boolean);
      item.append(disc, make("span", named[index]), make("small", notes.join(", ")));
      return item;
    }),
  );
}
