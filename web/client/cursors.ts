/** The carets and selections of others in an editor, each in a colour; `flags.ts` has the names. */

import { EditorSelection, type EditorState, type Extension, type Range } from "@codemirror/state";
import {
  Decoration,
  EditorView,
  layer,
  RectangleMarker,
  WidgetType,
  type DecorationSet,
  type LayerMarker,
} from "@codemirror/view";

import { COLORS } from "./colors.js";
import { peerFlags } from "./flags.js";
import { shownPeers } from "./peers.js";

export { peerSelected, peersPresent } from "./peers.js";

class Caret extends WidgetType {
  constructor(
    readonly id: string,
    readonly color: number,
  ) {
    super();
  }

  override eq(other: Caret): boolean {
    return other.id === this.id && other.color === this.color;
  }

  override toDOM(view: EditorView): HTMLElement {
    const caret = view.dom.ownerDocument.createElement("span");
    caret.className = `cm-peer cm-peer-${this.color}`;
    caret.dataset["peer"] = this.id;
    // Who is where is no part of the text that a screen reader reads.
    caret.ariaHidden = "true";
    return caret;
  }

  override ignoreEvent(): boolean {
    return true;
  }
}

function carets(state: EditorState): DecorationSet {
  const all: Range<Decoration>[] = [];
  for (const [id, { color, ranges }] of state.field(shownPeers)) {
    for (const [anchor, head] of ranges) {
      if (Math.max(anchor, head) > state.doc.length) continue;
      all.push(Decoration.widget({ widget: new Caret(id, color), side: 1 }).range(head));
    }
  }
  return Decoration.set(all, true);
}

/** Return the rectangles of what others have selected, as the editor draws its own: whole lines, and empty ones. */
function selections(view: EditorView): LayerMarker[] {
  const { doc } = view.state;
  return Array.from(view.state.field(shownPeers).values()).flatMap(({ color, ranges }) =>
    ranges
      .filter(([anchor, head]) => anchor !== head && Math.max(anchor, head) <= doc.length)
      .flatMap(([anchor, head]) =>
        RectangleMarker.forRange(view, `cm-peer-selection cm-peer-${color}`, EditorSelection.range(anchor, head)),
      ),
  );
}

const selectionLayer = layer({
  above: false,
  class: "cm-peerSelectionLayer",
  markers: selections,
  update: (update) =>
    update.docChanged ||
    update.viewportChanged ||
    update.startState.field(shownPeers, false) !== update.state.field(shownPeers),
});

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
    forcedColorAdjust: "none",
  },
  // Where the browser's user chooses all colours, backgrounds are none.
  "@media (forced-colors: active)": { ".cm-peer-selection": { outline: "1px solid Highlight" } },
});

/** Show the others; `peerSelected` and `peersPresent` say where and who. */
export function peerCursors(): Extension {
  return [shownPeers, EditorView.decorations.compute([shownPeers], carets), selectionLayer, peerFlags(), theme];
}
