/**
 * The cursors and selections of others in an editor, each with a name and a colour.
 *
 * They move with the text. A name shows for a moment when its cursor has moved, and while the pointer is on it.
 */

import { StateEffect, StateField, type EditorState, type Extension, type Range } from "@codemirror/state";
import { Decoration, EditorView, WidgetType, type DecorationSet } from "@codemirror/view";

import { COLORS, type PresentPeer } from "./colors.js";
import type { SelectedRange } from "./protocol.js";

interface Shown {
  readonly name: string;
  /** Which of `COLORS`. */
  readonly color: number;
  readonly ranges: readonly SelectedRange[];
  /** Counts the moves that were its owner's. */
  readonly moves: number;
}

/** A peer has selected something else. */
export const peerSelected = StateEffect.define<{ readonly id: string; readonly ranges: readonly SelectedRange[] }>();

/** These are here, and nobody else. */
export const peersPresent = StateEffect.define<readonly PresentPeer[]>();

class Caret extends WidgetType {
  constructor(
    readonly id: string,
    readonly name: string,
    readonly color: number,
    readonly moves: number,
  ) {
    super();
  }

  override eq(other: Caret): boolean {
    return other.id === this.id && other.name === this.name && other.color === this.color && other.moves === this.moves;
  }

  override toDOM(view: EditorView): HTMLElement {
    const document = view.dom.ownerDocument;
    const caret = document.createElement("span");
    caret.className = `cm-peer cm-peer-${this.color}`;
    // Who is where is no part of the text that a screen reader reads.
    caret.ariaHidden = "true";
    const name = caret.appendChild(document.createElement("span"));
    name.className = "cm-peer-name";
    name.textContent = this.name;
    return caret;
  }

  override ignoreEvent(): boolean {
    return true;
  }
}

const shownPeers = StateField.define<ReadonlyMap<string, Shown>>({
  create: () => new Map(),
  update(shown, transaction) {
    let next = shown;
    if (transaction.docChanged && shown.size > 0) {
      const place = (pos: number): number => transaction.changes.mapPos(pos);
      const moved = ([anchor, head]: SelectedRange): SelectedRange => [place(anchor), place(head)];
      next = new Map(Array.from(next, ([id, each]) => [id, { ...each, ranges: each.ranges.map(moved) }]));
    }
    for (const effect of transaction.effects) {
      if (effect.is(peerSelected)) {
        const { id, ranges } = effect.value;
        const before = next.get(id);
        // One map for all effects of a transaction.
        if (next === shown) next = new Map(shown);
        (next as Map<string, Shown>).set(id, {
          name: before?.name ?? "",
          color: before?.color ?? 0,
          ranges,
          moves: (before?.moves ?? 0) + 1,
        });
      } else if (effect.is(peersPresent)) {
        const known = next;
        next = new Map(
          effect.value.map((peer) => {
            const before = known.get(peer.id);
            const { color } = peer;
            const name = peer.name || "guest";
            return [peer.id, { name, color, ranges: before?.ranges ?? [], moves: before?.moves ?? 0 }];
          }),
        );
      }
    }
    return next;
  },
  provide: (field) => EditorView.decorations.compute([field], (state) => decorations(state, state.field(field))),
});

function decorations(state: EditorState, shown: ReadonlyMap<string, Shown>): DecorationSet {
  const { length } = state.doc;
  const all: Range<Decoration>[] = [];
  for (const [id, { name, color, ranges, moves }] of shown) {
    for (const [index, [anchor, head]] of ranges.entries()) {
      if (Math.max(anchor, head) > length) continue;
      if (anchor !== head) {
        const mark = Decoration.mark({ class: `cm-peer-selection cm-peer-${color}` });
        all.push(mark.range(Math.min(anchor, head), Math.max(anchor, head)));
      }
      // One name is enough for several cursors.
      const caret = new Caret(id, index === 0 ? name : "", color, moves);
      all.push(Decoration.widget({ widget: caret, side: 1 }).range(head));
    }
  }
  return Decoration.set(all, true);
}

const colors: Record<string, Record<string, string>> = {};
for (const [index, { light, dark }] of COLORS.entries()) {
  colors[`.cm-peer-${index}`] = { "--peer": light, "--peer-text": "#fff" };
  colors[`&dark .cm-peer-${index}`] = { "--peer": dark, "--peer-text": "#000" };
}

const theme = EditorView.baseTheme({
  ...colors,
  ".cm-peer-selection": { backgroundColor: "color-mix(in srgb, var(--peer) 25%, transparent)" },
  ".cm-peer": {
    position: "relative",
    borderLeft: "2px solid var(--peer)",
    marginLeft: "-1px",
    marginRight: "-1px",
  },
  ".cm-peer-name": {
    position: "absolute",
    bottom: "100%",
    left: "-2px",
    zIndex: "5",
    padding: "0 0.4em",
    borderRadius: "0.3em 0.3em 0.3em 0",
    background: "var(--peer)",
    color: "var(--peer-text)",
    font: "600 0.7rem/1.5 system-ui, sans-serif",
    whiteSpace: "nowrap",
    pointerEvents: "none",
    opacity: "0",
    animation: "cm-peer-name 2.5s ease-out",
  },
  ".cm-peer-name:empty": { display: "none" },
  ".cm-peer:hover > .cm-peer-name": { opacity: "1" },
  // Above the first line there is no room.
  ".cm-line:first-child .cm-peer-name": { bottom: "auto", top: "100%", borderRadius: "0 0.3em 0.3em 0.3em" },
  "@keyframes cm-peer-name": { "0%, 80%": { opacity: 1 }, "100%": { opacity: 0 } },
});

/** Show the cursors of others; `peerSelected` and `peersPresent` say where and who. */
export function peerCursors(): Extension {
  return [shownPeers, theme];
}
