/**
 * All that a page needs for a shared editor, for one script tag: it becomes the object `pyshare`.
 *
 * ```js
 * const { EditorView, basicSetup, connect } = pyshare;
 * ```
 */

export * from "./index.js";
export { basicSetup, EditorView, minimalSetup } from "codemirror";
export { Compartment, EditorState } from "@codemirror/state";
export { keymap, placeholder } from "@codemirror/view";
export { indentWithTab } from "@codemirror/commands";
export { javascript } from "@codemirror/lang-javascript";
export { python } from "@codemirror/lang-python";
