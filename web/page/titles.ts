/** The title of the window: the codespace's, with a mark if others have changed the text while nobody looked. */

const PRODUCT = "pyshare";
const MARK = "● ";

let title = "";
let isNews = false;

/** Name the window; with nothing it has the product's name alone. */
export function setTitle(words: string): void {
  title = words;
  write();
}

/** Mark the title until somebody looks, if nobody does now. */
export function markNews(): void {
  if (document.visibilityState !== "hidden" || isNews) return;
  isNews = true;
  write();
}

document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "hidden" || !isNews) return;
  isNews = false;
  write();
});

function write(): void {
  document.title = `${isNews ? MARK : ""}${title ? `${title.replace(/[.]$/, "")} · ${PRODUCT}` : PRODUCT}`;
}
