/** The choice of a language in the footer. */

import { hideBanner, showBanner } from "./banner.js";
import type { PageEditor } from "./editor.js";
import { make, part } from "./elements.js";
import { backToText } from "./focus.js";
import { LANGUAGES, languageOf, type Language } from "./languages.js";

/** Endings of files that belong to a language besides the one of its downloads. */
const OTHER_ENDINGS: Readonly<Record<string, string>> = {
  jsx: "javascript",
  mjs: "javascript",
  cjs: "javascript",
  tsx: "typescript",
  h: "c",
  hpp: "cpp",
  cc: "cpp",
  htm: "html",
  yml: "yaml",
  kts: "kotlin",
  bash: "shell",
  markdown: "markdown",
  pyw: "python",
};

/** Return the language of a file by the end of its name; undefined if that says nothing. */
export function languageOfFile(name: string): Language | undefined {
  const ending = /\.([^.]+)$/.exec(name)?.[1]?.toLowerCase();
  if (ending === undefined) return undefined;
  const other = OTHER_ENDINGS[ending];
  return LANGUAGES.find(({ id, extension }) => id === other || extension === ending);
}

/** Let people choose the language of the editor's text; `onChoice` hears of each choice that is made here. */
export class LanguageChoice {
  readonly #editor: PageEditor;
  readonly #onChoice: () => void;
  readonly #select = part("language", HTMLSelectElement);

  constructor(editor: PageEditor, first: string, onChoice: () => void) {
    this.#editor = editor;
    this.#onChoice = onChoice;
    for (const { id, name } of LANGUAGES) this.#select.appendChild(make("option", name)).value = id;
    this.#select.addEventListener("change", () => {
      this.choose(languageOf(this.#select.value));
      backToText();
    });
    this.#select.value = languageOf(first).id;
    void this.#load(languageOf(first));
  }

  /** The language that is chosen. */
  get language(): Language {
    return languageOf(this.#select.value);
  }

  choose(language: Language): void {
    this.show(language);
    this.#onChoice();
  }

  /** Show a choice that somebody else has made. */
  show(language: Language): void {
    this.#select.value = language.id;
    void this.#load(language);
  }

  async #load(language: Language): Promise<void> {
    try {
      await this.#editor.setLanguage(language);
      hideBanner("language");
    } catch {
      // A file of the page is not there any more, or there is no network now.
      const sentence = `The colours for ${language.name} could not be loaded. The server may have been updated since this page was opened.`;
      showBanner("language", "wait", sentence, [
        ["Reload", () => location.reload()],
        ["Close", () => hideBanner("language")],
      ]);
    }
  }
}
