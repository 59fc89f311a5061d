/** The editor: CodeMirror with what people expect of a code editor, in the colours of the page. */

import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import {
  bracketMatching,
  foldGutter,
  foldKeymap,
  HighlightStyle,
  indentOnInput,
  indentUnit,
  syntaxHighlighting,
} from "@codemirror/language";
import { highlightSelectionMatches, openSearchPanel, searchKeymap } from "@codemirror/search";
import { Compartment, EditorState, type Extension } from "@codemirror/state";
import {
  crosshairCursor,
  drawSelection,
  dropCursor,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSpecialChars,
  keymap,
  lineNumbers,
  rectangularSelection,
} from "@codemirror/view";
import { tags } from "@lezer/highlight";

import type { Mode } from "../client/index.js";
import type { Language } from "./languages.js";
import { searchInPanel } from "./search.js";

const highlightStyle = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword, tags.modifier, tags.self], color: "var(--syntax-keyword)" },
  {
    tag: [tags.function(tags.variableName), tags.function(tags.propertyName), tags.labelName],
    color: "var(--syntax-function)",
  },
  { tag: [tags.definition(tags.variableName), tags.propertyName, tags.attributeName], color: "var(--syntax-name)" },
  { tag: [tags.typeName, tags.className, tags.namespace, tags.tagName, tags.annotation], color: "var(--syntax-type)" },
  { tag: [tags.string, tags.special(tags.string), tags.regexp, tags.inserted], color: "var(--syntax-string)" },
  { tag: [tags.number, tags.bool, tags.null, tags.atom, tags.escape], color: "var(--syntax-number)" },
  { tag: [tags.comment, tags.meta, tags.docString], color: "var(--syntax-comment)", fontStyle: "italic" },
  { tag: tags.heading, color: "var(--syntax-function)", fontWeight: "bold" },
  { tag: tags.strong, fontWeight: "bold" },
  { tag: tags.emphasis, fontStyle: "italic" },
  { tag: [tags.link, tags.url], color: "var(--syntax-function)", textDecoration: "underline" },
  { tag: [tags.invalid, tags.deleted], color: "var(--syntax-invalid)" },
]);

const theme = {
  "&": { height: "100%", color: "var(--text)", backgroundColor: "var(--ground)", fontSize: "0.9375rem" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.6" },
  ".cm-content": { padding: "0.6rem 0", caretColor: "var(--accent)" },
  ".cm-line": { padding: "0 0.9rem 0 0.5rem" },
  ".cm-cursor, .cm-dropCursor": { borderLeft: "2px solid var(--accent)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
    backgroundColor: "var(--selection)",
  },
  ".cm-gutters": { backgroundColor: "var(--ground)", color: "var(--quiet)", border: "none" },
  ".cm-lineNumbers .cm-gutterElement": { minWidth: "2.4rem", padding: "0 0.4rem 0 0.5rem" },
  ".cm-activeLine": { backgroundColor: "color-mix(in srgb, var(--active-line) 60%, transparent)" },
  ".cm-activeLineGutter": { backgroundColor: "transparent", color: "var(--text)" },
  ".cm-matchingBracket, &.cm-focused .cm-matchingBracket": {
    backgroundColor: "transparent",
    outline: "1px solid var(--quiet)",
  },
  ".cm-selectionMatch, .cm-searchMatch": { backgroundColor: "color-mix(in srgb, var(--wait) 25%, transparent)" },
  ".cm-searchMatch-selected": { backgroundColor: "color-mix(in srgb, var(--wait) 55%, transparent)" },
  ".cm-panels": { backgroundColor: "var(--raised)", color: "var(--text)" },
  ".cm-tooltip": {
    backgroundColor: "var(--ground)",
    border: "1px solid var(--line)",
    borderRadius: "0.4rem",
    boxShadow: "var(--shadow)",
    overflow: "hidden",
  },
  ".cm-tooltip-autocomplete > ul > li[aria-selected]": {
    backgroundColor: "var(--selection)",
    color: "var(--text)",
  },
  "@media (prefers-reduced-motion: reduce)": { ".cm-cursorLayer": { animation: "none !important" } },
  ".cm-foldPlaceholder": { backgroundColor: "var(--raised)", border: "1px solid var(--line)", color: "var(--quiet)" },
};

const EDITING: Extension = [
  lineNumbers(),
  highlightActiveLineGutter(),
  highlightSpecialChars(),
  history(),
  foldGutter(),
  drawSelection(),
  dropCursor(),
  EditorState.allowMultipleSelections.of(true),
  indentOnInput(),
  syntaxHighlighting(highlightStyle),
  bracketMatching(),
  closeBrackets(),
  autocompletion(),
  rectangularSelection(),
  crosshairCursor(),
  highlightActiveLine(),
  highlightSelectionMatches(),
  searchInPanel(),
  keymap.of([
    ...closeBracketsKeymap,
    ...defaultKeymap,
    ...searchKeymap,
    ...historyKeymap,
    ...foldKeymap,
    ...completionKeymap,
    indentWithTab,
  ]),
  EditorView.contentAttributes.of({
    "aria-label": "Text of the codespace. Escape, then Tab, leaves it.",
    autocapitalize: "off",
    autocorrect: "off",
    spellcheck: "false",
    // It is so already; a long text is a region that scrolls, of which checkers ask that it says so.
    tabindex: "0",
  }),
];

function wrapped(isWrapped: boolean): Extension {
  return isWrapped ? EditorView.lineWrapping : [];
}

/** A CodeMirror editor in a page. */
export class PageEditor {
  readonly view: EditorView;
  readonly #language = new Compartment();
  readonly #colors = new Compartment();
  readonly #wrapping = new Compartment();
  readonly #mode = new Compartment();
  /** Whether lines are wrapped, and whether somebody has said so. */
  #isWrapped: boolean;
  #isChosen: boolean;
  /** The last language that was asked for: one that comes later than another is not shown. */
  #wanted: Language | null = null;

  /**
   * `onMove` is called when the cursor stands elsewhere, counted from 1; `onText` when the text has changed. Lines are
   * wrapped as `wrapping` says; null: in narrow windows.
   */
  constructor(
    host: HTMLElement,
    wrapping: boolean | null,
    onMove: (line: number, column: number) => void,
    onText: () => void,
  ) {
    // In a shadow root CodeMirror needs no <style>, which a strict Content-Security-Policy forbids.
    const root = host.attachShadow({ mode: "open" });
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const narrow = matchMedia("(max-width: 40rem)");
    const colors = (): Extension => EditorView.theme(theme, { dark: dark.matches });
    this.#isChosen = wrapping !== null;
    this.#isWrapped = wrapping ?? narrow.matches;
    this.view = new EditorView({
      extensions: [
        EDITING,
        this.#language.of([]),
        this.#colors.of(colors()),
        this.#wrapping.of(wrapped(this.#isWrapped)),
        this.#mode.of([]),
        EditorView.updateListener.of(({ state, docChanged, selectionSet }) => {
          if (docChanged) onText();
          if (!docChanged && !selectionSet) return;
          const { head } = state.selection.main;
          const line = state.doc.lineAt(head);
          onMove(line.number, head - line.from + 1);
        }),
      ],
      root,
      parent: root,
    });
    dark.addEventListener("change", () => this.view.dispatch({ effects: this.#colors.reconfigure(colors()) }));
    narrow.addEventListener("change", () => {
      if (!this.#isChosen) this.#wrap(narrow.matches);
    });
  }

  get isWrapped(): boolean {
    return this.#isWrapped;
  }

  /** Wrap lines, or do not, however narrow the window is. */
  chooseWrapping(isWrapped: boolean): void {
    this.#isChosen = true;
    this.#wrap(isWrapped);
  }

  /** Tell screen readers and keyboards of phones whether one may type. */
  setMode(mode: Mode): void {
    const attributes = { inputmode: "none", "aria-readonly": "true" };
    const extension = mode === "view_only" ? EditorView.contentAttributes.of(attributes) : [];
    this.view.dispatch({ effects: this.#mode.reconfigure(extension) });
  }

  #wrap(isWrapped: boolean): void {
    this.#isWrapped = isWrapped;
    this.view.dispatch({ effects: this.#wrapping.reconfigure(wrapped(isWrapped)) });
  }

  get text(): string {
    return this.view.state.doc.toString();
  }

  /** Show the text as one of `language`, once that is loaded. */
  async setLanguage(language: Language): Promise<void> {
    this.#wanted = language;
    const support = await language.load();
    if (this.#wanted !== language) return;
    const unit = indentUnit.of(" ".repeat(language.indent));
    this.view.dispatch({ effects: this.#language.reconfigure([support, unit]) });
  }

  openSearch(): void {
    openSearchPanel(this.view);
  }
}
