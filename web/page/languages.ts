/** The languages that the editor knows: each is loaded when it is chosen. */

import { StreamLanguage, type StreamParser } from "@codemirror/language";
import type { Extension } from "@codemirror/state";

export interface Language {
  readonly id: string;
  readonly name: string;
  /** Of a downloaded file. */
  readonly extension: string;
  /** Spaces of one step of indentation. */
  readonly indent: number;
  load(): Promise<Extension>;
}

async function stream(loading: Promise<StreamParser<unknown>>): Promise<Extension> {
  return StreamLanguage.define(await loading);
}

export const LANGUAGES: readonly Language[] = [
  {
    id: "python",
    name: "Python",
    extension: "py",
    indent: 4,
    load: async () => (await import("@codemirror/lang-python")).python(),
  },
  {
    id: "javascript",
    name: "JavaScript",
    extension: "js",
    indent: 2,
    load: async () => (await import("@codemirror/lang-javascript")).javascript({ jsx: true }),
  },
  {
    id: "typescript",
    name: "TypeScript",
    extension: "ts",
    indent: 2,
    load: async () => (await import("@codemirror/lang-javascript")).javascript({ jsx: true, typescript: true }),
  },
  {
    id: "java",
    name: "Java",
    extension: "java",
    indent: 4,
    load: async () => (await import("@codemirror/lang-java")).java(),
  },
  {
    id: "c",
    name: "C",
    extension: "c",
    indent: 4,
    load: async () => (await import("@codemirror/lang-cpp")).cpp(),
  },
  {
    id: "cpp",
    name: "C++",
    extension: "cpp",
    indent: 4,
    load: async () => (await import("@codemirror/lang-cpp")).cpp(),
  },
  {
    id: "csharp",
    name: "C#",
    extension: "cs",
    indent: 4,
    load: () => stream(import("@codemirror/legacy-modes/mode/clike").then(({ csharp }) => csharp)),
  },
  {
    id: "go",
    name: "Go",
    extension: "go",
    indent: 4,
    load: async () => (await import("@codemirror/lang-go")).go(),
  },
  {
    id: "rust",
    name: "Rust",
    extension: "rs",
    indent: 4,
    load: async () => (await import("@codemirror/lang-rust")).rust(),
  },
  {
    id: "kotlin",
    name: "Kotlin",
    extension: "kt",
    indent: 4,
    load: () => stream(import("@codemirror/legacy-modes/mode/clike").then(({ kotlin }) => kotlin)),
  },
  {
    id: "ruby",
    name: "Ruby",
    extension: "rb",
    indent: 2,
    load: () => stream(import("@codemirror/legacy-modes/mode/ruby").then(({ ruby }) => ruby)),
  },
  {
    id: "php",
    name: "PHP",
    extension: "php",
    indent: 4,
    load: async () => (await import("@codemirror/lang-php")).php(),
  },
  {
    id: "shell",
    name: "Shell",
    extension: "sh",
    indent: 2,
    load: () => stream(import("@codemirror/legacy-modes/mode/shell").then(({ shell }) => shell)),
  },
  {
    id: "sql",
    name: "SQL",
    extension: "sql",
    indent: 2,
    load: async () => (await import("@codemirror/lang-sql")).sql(),
  },
  {
    id: "html",
    name: "HTML",
    extension: "html",
    indent: 2,
    load: async () => (await import("@codemirror/lang-html")).html(),
  },
  {
    id: "css",
    name: "CSS",
    extension: "css",
    indent: 2,
    load: async () => (await import("@codemirror/lang-css")).css(),
  },
  {
    id: "json",
    name: "JSON",
    extension: "json",
    indent: 2,
    load: async () => (await import("@codemirror/lang-json")).json(),
  },
  {
    id: "yaml",
    name: "YAML",
    extension: "yaml",
    indent: 2,
    load: async () => (await import("@codemirror/lang-yaml")).yaml(),
  },
  {
    id: "xml",
    name: "XML",
    extension: "xml",
    indent: 2,
    load: async () => (await import("@codemirror/lang-xml")).xml(),
  },
  {
    id: "markdown",
    name: "Markdown",
    extension: "md",
    indent: 2,
    load: async () => (await import("@codemirror/lang-markdown")).markdown(),
  },
  { id: "text", name: "Plain text", extension: "txt", indent: 4, load: () => Promise.resolve([]) },
];

/** Return the language of that id; Python if there is none. */
export function languageOf(id: string): Language {
  return LANGUAGES.find((language) => language.id === id) ?? LANGUAGES[0]!;
}
