/** The search in the editor: it jumps while one types, and counts. */

import {
  closeSearchPanel,
  findNext,
  findPrevious,
  getSearchQuery,
  replaceAll,
  replaceNext,
  search,
  SearchQuery,
  setSearchQuery,
} from "@codemirror/search";
import type { EditorState, Extension } from "@codemirror/state";
import { EditorView, runScopeHandlers, type Panel, type ViewUpdate } from "@codemirror/view";

import { make } from "./elements.js";

/** Matches that are counted. */
const MOST_COUNTED = 1000;
/** Milliseconds after a change in which matches are counted. */
const COUNT_MS = 120;

/** Return how many matches there are and which one is selected, as "3 of 17". */
function counted(state: EditorState, query: SearchQuery): string {
  if (query.search === "") return "";
  if (!query.valid) return "not a pattern";
  const { from, to } = state.selection.main;
  let all = 0;
  let selected = 0;
  const cursor = query.getCursor(state);
  for (let next = cursor.next(); !next.done; next = cursor.next()) {
    if (++all > MOST_COUNTED) break;
    if (next.value.from === from && next.value.to === to) selected = all;
  }
  if (all === 0) return "no match";
  const total = all > MOST_COUNTED ? `${MOST_COUNTED}+` : String(all);
  return selected > 0 ? `${selected} of ${total}` : `${total} found`;
}

class SearchPanel implements Panel {
  readonly dom = make("div", "", "cm-search");
  readonly top = true;
  readonly #view: EditorView;
  readonly #find = field("Find");
  readonly #replace = field("Replace with");
  readonly #count = make("span", "", "count");
  readonly #more = make("div", "", "more");
  readonly #options: Readonly<Record<"caseSensitive" | "wholeWord" | "regexp", HTMLInputElement>>;
  readonly #replacing: readonly HTMLElement[];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(view: EditorView) {
    this.#view = view;
    this.#find.setAttribute("main-field", "true");
    this.#count.role = "status";
    const toggle = press("›", "Replace and options", () => this.#show(this.#more.hidden !== false));
    toggle.className = "toggle";
    toggle.ariaExpanded = "false";
    const first = make("div", "", "first");
    first.append(
      toggle,
      this.#find,
      this.#count,
      press("↑", "Previous match", () => findPrevious(view)),
      press("↓", "Next match", () => findNext(view)),
      press("×", "Close", () => closeSearchPanel(view)),
    );
    this.#replacing = [
      this.#replace,
      press("Replace", "", () => replaceNext(view)),
      press("Replace all", "", () => replaceAll(view)),
    ];
    const [caseSensitive, wholeWord, regexp] = ["Match case", "Whole word", "Pattern"].map(option);
    this.#options = { caseSensitive: caseSensitive!.box, wholeWord: wholeWord!.box, regexp: regexp!.box };
    this.#more.append(...this.#replacing, caseSensitive!.label, wholeWord!.label, regexp!.label);
    this.dom.append(first, this.#more);
    this.#show(false);
    this.#take(getSearchQuery(view.state));
    this.dom.addEventListener("input", () => this.#search());
    this.dom.addEventListener("keydown", (event) => this.#onKey(event));
  }

  mount(): void {
    this.#find.select();
    this.#countSoon();
  }

  update(update: ViewUpdate): void {
    for (const transaction of update.transactions)
      for (const effect of transaction.effects) if (effect.is(setSearchQuery)) this.#take(effect.value);
    if (update.startState.readOnly !== update.state.readOnly) this.#bar();
    if (update.docChanged || update.selectionSet) this.#countSoon();
  }

  destroy(): void {
    clearTimeout(this.#timer);
  }

  #show(isShown: boolean): void {
    this.#more.hidden = !isShown;
    this.dom.querySelector(".toggle")?.setAttribute("aria-expanded", String(isShown));
    this.#bar();
  }

  /** Offer to replace only where that is possible. */
  #bar(): void {
    for (const each of this.#replacing) each.hidden = this.#view.state.readOnly;
  }

  /** Show a query that was made elsewhere, as by selecting something before the search. */
  #take(query: SearchQuery): void {
    if (query.search !== this.#find.value) this.#find.value = query.search;
    if (query.replace !== this.#replace.value) this.#replace.value = query.replace;
    this.#options.caseSensitive.checked = query.caseSensitive;
    this.#options.wholeWord.checked = query.wholeWord;
    this.#options.regexp.checked = query.regexp;
    this.#countSoon();
  }

  /** Search for what the fields say, and go to the first match behind the beginning of the selection. */
  #search(): void {
    const query = new SearchQuery({
      search: this.#find.value,
      replace: this.#replace.value,
      caseSensitive: this.#options.caseSensitive.checked,
      wholeWord: this.#options.wholeWord.checked,
      regexp: this.#options.regexp.checked,
    });
    const { state } = this.#view;
    if (query.eq(getSearchQuery(state))) return;
    const isSame = found(query) === found(getSearchQuery(state));
    this.#view.dispatch({ effects: setSearchQuery.of(query) });
    if (isSame || !query.valid) return;
    const match = firstFrom(state, query, state.selection.main.from) ?? firstFrom(state, query, 0);
    if (match === null) return;
    this.#view.dispatch({
      selection: { anchor: match.from, head: match.to },
      effects: EditorView.scrollIntoView(match.from, { y: "center" }),
      userEvent: "select.search",
    });
  }

  #onKey(event: KeyboardEvent): void {
    if (runScopeHandlers(this.#view, event, "search-panel")) event.preventDefault();
    else if (event.key === "Enter" && event.target === this.#find) {
      event.preventDefault();
      (event.shiftKey ? findPrevious : findNext)(this.#view);
    } else if (event.key === "Enter" && event.target === this.#replace) {
      event.preventDefault();
      replaceNext(this.#view);
    }
  }

  #countSoon(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const words = counted(this.#view.state, getSearchQuery(this.#view.state));
      if (this.#count.textContent !== words) this.#count.textContent = words;
    }, COUNT_MS);
  }
}

/** Return what decides which matches a query has. */
function found({ search, caseSensitive, wholeWord, regexp }: SearchQuery): string {
  return JSON.stringify([search, caseSensitive, wholeWord, regexp]);
}

function firstFrom(state: EditorState, query: SearchQuery, from: number): { from: number; to: number } | null {
  const next = query.getCursor(state, from).next();
  return next.done ? null : next.value;
}

function field(name: string): HTMLInputElement {
  const input = make("input");
  input.type = "text";
  input.placeholder = name;
  input.ariaLabel = name;
  input.spellcheck = false;
  input.autocapitalize = "off";
  input.autocomplete = "off";
  return input;
}

/** Return a button; with a sign in place of a word it has `name` for those who do not see it. */
function press(label: string, name: string, act: () => void): HTMLButtonElement {
  const button = make("button", label);
  button.type = "button";
  if (name !== "") button.title = button.ariaLabel = name;
  button.addEventListener("click", act);
  return button;
}

function option(name: string): { readonly label: HTMLLabelElement; readonly box: HTMLInputElement } {
  const label = make("label");
  const box = label.appendChild(make("input"));
  box.type = "checkbox";
  label.append(make("span", name));
  return { label, box };
}

const theme = EditorView.theme({
  ".cm-panels.cm-panels-top": { borderBottom: "1px solid var(--line)", zIndex: "260" },
  ".cm-panel.cm-search": { padding: "0.3rem 0.5rem", fontFamily: "var(--sans)", fontSize: "0.875rem" },
  ".cm-panel.cm-search .first, .cm-panel.cm-search .more": {
    display: "flex",
    flexWrap: "wrap",
    alignItems: "center",
    gap: "0.3rem",
  },
  ".cm-panel.cm-search .first": { flexWrap: "nowrap" },
  ".cm-panel.cm-search .more": { paddingTop: "0.3rem", columnGap: "0.6rem" },
  ".cm-panel.cm-search [hidden]": { display: "none" },
  ".cm-panel.cm-search input, .cm-panel.cm-search button": { boxSizing: "border-box" },
  ".cm-panel.cm-search input[type=text]": {
    flex: "0 1 20rem",
    minWidth: "0",
    margin: "0",
    minHeight: "2rem",
    padding: "0.2rem 0.6rem",
    border: "1px solid var(--line)",
    borderRadius: "0.4rem",
    background: "var(--ground)",
    color: "inherit",
    font: "inherit",
  },
  ".cm-panel.cm-search button": {
    minWidth: "2rem",
    minHeight: "2rem",
    margin: "0",
    padding: "0.2rem 0.6rem",
    border: "1px solid var(--line)",
    borderRadius: "0.4rem",
    background: "var(--ground)",
    color: "inherit",
    font: "inherit",
    cursor: "pointer",
  },
  ".cm-panel.cm-search .first button": { flex: "none", borderColor: "transparent", background: "transparent" },
  ".cm-panel.cm-search .toggle[aria-expanded=true]": { transform: "rotate(90deg)" },
  ".cm-panel.cm-search .count:empty": { display: "none" },
  ".cm-panel.cm-search .count": {
    flex: "none",
    minWidth: "5.5rem",
    color: "var(--quiet)",
    fontVariantNumeric: "tabular-nums",
  },
  ".cm-panel.cm-search label": {
    display: "inline-flex",
    alignItems: "center",
    gap: "0.35rem",
    minHeight: "2rem",
    margin: "0",
    fontSize: "inherit",
    cursor: "pointer",
  },
  ".cm-panel.cm-search input[type=checkbox]": { margin: "0", accentColor: "var(--accent)" },
  ".cm-panel.cm-search :focus-visible": { outline: "2px solid var(--accent)", outlineOffset: "1px" },
  "@media (max-width: 40rem)": {
    ".cm-panel.cm-search button, .cm-panel.cm-search label": { minWidth: "2.75rem", minHeight: "2.75rem" },
    // Smaller letters have phones zoom into what is typed in.
    ".cm-panel.cm-search input[type=text]": { flex: "1 1 6rem", minHeight: "2.75rem", fontSize: "1rem" },
    ".cm-panel.cm-search .count": { minWidth: "4rem" },
  },
});

/** Have the editor search with this panel. */
export function searchInPanel(): Extension {
  return [search({ top: true, createPanel: (view) => new SearchPanel(view) }), theme];
}
