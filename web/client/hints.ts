/** Hints of the browser: the network has come or gone, the page is seen, hidden, or about to go. */

/** Call `onHint` at each hint, and `onHide` when the page goes; return what ends that. Outside of browsers there are none. */
export function hearHints(onHint: () => void, onHide: () => void): () => void {
  if (typeof document === "undefined") return () => {};
  addEventListener("online", onHint);
  addEventListener("offline", onHint);
  addEventListener("pagehide", onHide);
  document.addEventListener("visibilitychange", onHint);
  return () => {
    removeEventListener("online", onHint);
    removeEventListener("offline", onHint);
    removeEventListener("pagehide", onHide);
    document.removeEventListener("visibilitychange", onHint);
  };
}
