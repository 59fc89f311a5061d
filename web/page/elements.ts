/** Parts of the page by their ids, and small things that are done with them. */

import { COLORS } from "../client/index.js";

/** Return the part of that id, which must be of that class. */
export function part<Kind extends HTMLElement>(id: string, kind: new () => Kind): Kind {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) throw new TypeError(`the page has no ${kind.name} #${id}`);
  return element;
}

/** Return a new element with that text in it. */
export function make<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  text = "",
  className = "",
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  element.textContent = text;
  if (className) element.className = className;
  return element;
}

/** Return the disc that stands for somebody. */
export function makeAvatar(name: string, color: number, initials: string): HTMLElement {
  const avatar = make("span", initials, "avatar");
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  avatar.style.setProperty("--peer", COLORS[color]![dark ? "dark" : "light"]);
  avatar.style.setProperty("--peer-text", dark ? "#000" : "#fff");
  avatar.title = name;
  avatar.ariaHidden = "true";
  return avatar;
}

/** Put a text into the clipboard; return whether that was possible. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Without https, browsers have the old way only.
    const area = document.body.appendChild(make("textarea", "", "visually-hidden"));
    area.value = text;
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

/** Have the browser save a text as a file. */
export function saveText(text: string, name: string): void {
  const address = URL.createObjectURL(new Blob([text], { type: "text/plain;charset=utf-8" }));
  const link = make("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
