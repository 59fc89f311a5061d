/** Answers to those who type into a text that they cannot change. */

/** Milliseconds between two answers. */
const PAUSE_MS = 20_000;

const KEYS: ReadonlySet<string> = new Set(["Enter", "Backspace", "Delete"]);

/** Call `answer` when somebody tries to change the text in `editor`, while `isBarred`; once in twenty seconds. */
export function answerTyping(editor: HTMLElement, isBarred: () => boolean, answer: () => void): void {
  let answeredAt = -Infinity;
  const tried = (): void => {
    if (!isBarred() || Date.now() - answeredAt < PAUSE_MS) return;
    answeredAt = Date.now();
    answer();
  };
  const onKey = ({ key, ctrlKey, metaKey }: KeyboardEvent): void => {
    if (KEYS.has(key) || (Array.from(key).length === 1 && !ctrlKey && !metaKey)) tried();
  };
  editor.addEventListener("keydown", onKey, { capture: true });
  for (const type of ["beforeinput", "paste", "cut", "drop"]) editor.addEventListener(type, tried, { capture: true });
}
