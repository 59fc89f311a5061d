/**
 * The names of others beside their carets.
 *
 * A name shows while its owner does something and a moment after, and to those who point at the caret or, in the gutter,
 * at its row. It stands behind the text, so that it covers nothing.
 */

import type { Extension } from "@codemirror/state";
import { EditorView, ViewPlugin, type PluginValue, type ViewUpdate } from "@codemirror/view";

import { shownPeers } from "./peers.js";
import { placeName, type Box, type Row } from "./placing.js";

/** Milliseconds for which a name shows after its owner has done something, and after it was touched. */
const SHOWN_MS = 1500;
const TOUCHED_MS = 2500;
/** Pixels round a caret in which it is pointed at, by a mouse and by a finger. */
const NEAR = 12;
const NEAR_FINGER = 24;
/** Pixels that a name may be wide. */
const MOST_WIDTH = 220;

interface Flag {
  readonly element: HTMLElement;
  moves: number;
  /** Time until which it shows for what its owner has done, or for a touch. */
  until: number;
}

class Flags implements PluginValue {
  readonly #view: EditorView;
  readonly #layer: HTMLElement;
  readonly #flags = new Map<string, Flag>();
  /** Ids of those whose carets the mouse is at. */
  #pointed: ReadonlySet<string> = new Set();
  /** Whether names that do not show may stand where there is no text any more. */
  #isStale = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #measure = { key: this, read: () => this.#places(), write: (places: Places) => this.#show(places) };

  constructor(view: EditorView) {
    this.#view = view;
    this.#layer = view.scrollDOM.appendChild(view.dom.ownerDocument.createElement("div"));
    this.#layer.className = "cm-peer-flags";
    this.#layer.ariaHidden = "true";
    view.scrollDOM.addEventListener("pointermove", this.#onMove);
    view.scrollDOM.addEventListener("pointerleave", this.#onLeave);
    view.scrollDOM.addEventListener("pointerdown", this.#onTouch);
    view.scrollDOM.addEventListener("scroll", this.#onScroll, { passive: true });
    this.#take();
  }

  update(update: ViewUpdate): void {
    const isNews = update.startState.field(shownPeers, false) !== update.state.field(shownPeers);
    if (isNews) this.#take();
    this.#isStale ||= update.docChanged || update.geometryChanged;
    if (isNews || update.docChanged || update.viewportChanged || update.geometryChanged) this.#measureSoon();
  }

  destroy(): void {
    clearTimeout(this.#timer);
    this.#view.scrollDOM.removeEventListener("pointermove", this.#onMove);
    this.#view.scrollDOM.removeEventListener("pointerleave", this.#onLeave);
    this.#view.scrollDOM.removeEventListener("pointerdown", this.#onTouch);
    this.#view.scrollDOM.removeEventListener("scroll", this.#onScroll);
    this.#layer.remove();
  }

  /** Take over who is here, and who has done something. */
  #take(): void {
    const peers = this.#view.state.field(shownPeers);
    for (const [id, { element }] of this.#flags) {
      if (peers.has(id)) continue;
      element.remove();
      this.#flags.delete(id);
    }
    for (const [id, { name, color, moves }] of peers) {
      let flag = this.#flags.get(id);
      if (flag === undefined) {
        const element = this.#layer.appendChild(this.#view.dom.ownerDocument.createElement("bdi"));
        this.#flags.set(id, (flag = { element, moves: Math.max(moves, 0), until: 0 }));
      }
      flag.element.className = `cm-peer-name cm-peer-${color}`;
      if (flag.element.textContent !== name) flag.element.textContent = name;
      if (moves > flag.moves) this.#showFor(flag, SHOWN_MS);
      flag.moves = Math.max(moves, flag.moves);
    }
  }

  #showFor(flag: Flag, milliseconds: number): void {
    flag.until = Math.max(flag.until, Date.now() + milliseconds);
    this.#measureSoon();
  }

  #measureSoon(): void {
    if (this.#flags.size > 0) this.#view.requestMeasure(this.#measure);
  }

  /** Return where the names are that show now; a name whose caret is not on the screen does not show. */
  #places(): Places {
    const view = this.#view;
    const now = Date.now();
    const bounds = view.scrollDOM.getBoundingClientRect();
    const gutter = view.contentDOM.getBoundingClientRect().left + view.scrollDOM.scrollLeft - bounds.left;
    const room = { left: bounds.left, gutter, right: bounds.left + view.scrollDOM.clientWidth };
    const taken: Box[] = [];
    const places = new Map<string, Place | null>();
    for (const [id, { ranges }] of view.state.field(shownPeers)) {
      const flag = this.#flags.get(id);
      if (flag === undefined) continue;
      const head = ranges[0]?.[1];
      const shows = flag.until > now || this.#pointed.has(id);
      const caret = shows && head !== undefined && head <= view.state.doc.length ? view.coordsAtPos(head, 1) : null;
      const rows = caret && [0, -1, 1].map((step) => this.#row(caret, step, room.right)).filter((row) => row !== null);
      const width = Math.min(flag.element.scrollWidth, MOST_WIDTH);
      const box = caret && rows && placeName(width, caret.left, rows, room, taken);
      if (box) taken.push(box);
      places.set(
        id,
        box && {
          left: box.left - bounds.left + view.scrollDOM.scrollLeft,
          top: (box.row.top + box.row.bottom) / 2 - bounds.top + view.scrollDOM.scrollTop,
          width: box.width < width ? box.width : null,
        },
      );
    }
    return places;
  }

  /** Return the row `step` rows below that of a caret, if there is one. */
  #row(caret: { readonly top: number; readonly bottom: number }, step: number, right: number): Row | null {
    const height = caret.bottom - caret.top;
    const y = (caret.top + caret.bottom) / 2 + step * this.#view.defaultLineHeight;
    const pos = this.#view.posAtCoords({ x: right - 1, y }, false);
    const end = this.#view.coordsAtPos(pos, -1);
    if (end === null || y < end.top - height / 4 || y > end.bottom + height / 4) return null;
    return { top: end.top, bottom: end.bottom, end: end.right };
  }

  #show(places: Places): void {
    const now = Date.now();
    let next = Infinity;
    for (const [id, flag] of this.#flags) {
      const place = places.get(id) ?? null;
      const { element } = flag;
      if (place !== null) {
        element.style.left = `${place.left}px`;
        element.style.top = `${place.top}px`;
        element.style.maxWidth = place.width === null ? "" : `${place.width}px`;
        element.dataset["placed"] = element.dataset["shown"] = "";
      } else {
        delete element.dataset["shown"];
        if (this.#isStale) {
          delete element.dataset["placed"];
          element.style.left = element.style.top = "";
        }
      }
      if (flag.until > now) next = Math.min(next, flag.until);
    }
    this.#isStale = false;
    clearTimeout(this.#timer);
    if (next < Infinity) this.#timer = setTimeout(() => this.#measureSoon(), next - now);
  }

  readonly #onMove = ({ clientX, clientY, pointerType }: PointerEvent): void => {
    if (pointerType === "touch" || this.#flags.size === 0) return;
    this.#point(this.#at(clientX, clientY, NEAR));
  };

  readonly #onLeave = (): void => this.#point(new Set());

  readonly #onTouch = ({ clientX, clientY, pointerType }: PointerEvent): void => {
    if (pointerType === "mouse" || this.#flags.size === 0) return;
    for (const id of this.#at(clientX, clientY, NEAR_FINGER)) this.#showFor(this.#flags.get(id)!, TOUCHED_MS);
  };

  readonly #onScroll = (): void => {
    if (this.#pointed.size > 0 || Array.from(this.#flags.values()).some(({ until }) => until > Date.now()))
      this.#measureSoon();
  };

  #point(ids: ReadonlySet<string>): void {
    const isSame = ids.size === this.#pointed.size && [...ids].every((id) => this.#pointed.has(id));
    if (isSame) return;
    this.#pointed = ids;
    this.#measureSoon();
  }

  /** Return the ids of those with a caret near a point, or with one in the row of a point in the gutter. */
  #at(x: number, y: number, near: number): ReadonlySet<string> {
    const inGutter = x < this.#view.contentDOM.getBoundingClientRect().left;
    const ids = new Set<string>();
    for (const caret of this.#view.contentDOM.querySelectorAll<HTMLElement>(".cm-peer")) {
      const { left, top, bottom } = caret.getBoundingClientRect();
      const beyond = Math.max(top - y, y - bottom, 0);
      const id = caret.dataset["peer"] ?? "";
      if (this.#flags.has(id) && beyond <= near / 2 && (inGutter || Math.abs(x - left) <= near)) ids.add(id);
    }
    return ids;
  }
}

interface Place {
  readonly left: number;
  readonly top: number;
  /** Width that the name may have; null: all of it. */
  readonly width: number | null;
}

type Places = ReadonlyMap<string, Place | null>;

const theme = EditorView.baseTheme({
  ".cm-peer-flags": { position: "absolute", left: "0", top: "0", width: "0", height: "0", zIndex: "250" },
  ".cm-peer-name": {
    position: "absolute",
    left: "0",
    top: "0",
    visibility: "hidden",
    width: "max-content",
    maxWidth: `${MOST_WIDTH}px`,
    overflow: "hidden",
    padding: "0 0.4em",
    borderRadius: "0.3em",
    background: "var(--peer)",
    color: "var(--peer-text)",
    font: "600 0.7rem/1.5 system-ui, sans-serif",
    textOverflow: "ellipsis",
    whiteSpace: "nowrap",
    pointerEvents: "none",
    opacity: "0",
    transform: "translateY(-50%)",
    transition: "opacity 0.2s ease-out",
    forcedColorAdjust: "none",
  },
  ".cm-peer-name[data-placed]": { visibility: "visible" },
  ".cm-peer-name[data-shown]": { opacity: "1", transition: "none" },
  "@media (prefers-reduced-motion: reduce)": { ".cm-peer-name": { transition: "none" } },
});

/** Show the names of those whom `shownPeers` has. */
export function peerFlags(): Extension {
  return [ViewPlugin.fromClass(Flags), theme];
}
