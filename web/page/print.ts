/** The text on paper: all of it, with numbers, in black on white, under its title and the date. */

import { make } from "./elements.js";

/** Have the browser print what `title` and `text` return at that moment, in place of the page. */
export function setUpPrint(title: () => string, text: () => string): void {
  let sheet: HTMLElement | null = null;
  addEventListener("beforeprint", () => {
    sheet?.remove();
    sheet = document.body.appendChild(make("article", "", "print"));
    const date = new Intl.DateTimeFormat(undefined, { dateStyle: "long", timeStyle: "short" }).format(new Date());
    const lines = make("ol");
    lines.append(
      ...text()
        .split("\n")
        .map((line) => make("li", line)),
    );
    sheet.append(make("h1", title()), make("p", date), lines);
  });
  addEventListener("afterprint", () => {
    sheet?.remove();
    sheet = null;
  });
}
