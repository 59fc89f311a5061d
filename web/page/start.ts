/** The start page: a new codespace, and those that were open here. */

import { ApiError, createCodespace } from "./api.js";
import { formatHash } from "./address.js";
import { make, part } from "./elements.js";
import { languageOf } from "./languages.js";
import { loadRecent } from "./memory.js";

/** Go to a new codespace with that text in it. Rejects with an `ApiError` if there is none to be had. */
export async function goToNew(text: string, language: string): Promise<void> {
  const made = await createCodespace(text);
  // Reloaded, since another codespace is another page.
  history.pushState({ isNew: true }, "", `/${formatHash(made.edit.token, language)}`);
  location.reload();
}

export function showStart(): void {
  const button = part("start-new", HTMLButtonElement);
  const failure = part("start-error", HTMLElement);
  button.addEventListener("click", () => {
    button.disabled = true;
    failure.hidden = true;
    goToNew("", "python").catch((error: unknown) => {
      if (!(error instanceof ApiError)) throw error;
      button.disabled = false;
      failure.textContent = `That did not work: ${error.message}`;
      failure.hidden = false;
    });
  });
  const recent = loadRecent();
  part("recent", HTMLElement).hidden = recent.length === 0;
  part("recent-list", HTMLElement).replaceChildren(
    ...recent.map(({ token, language, title, at }) => {
      const item = make("li");
      const link = item.appendChild(make("a"));
      link.href = formatHash(token, language);
      const when = make("time", new Date(at).toLocaleString([], { dateStyle: "medium", timeStyle: "short" }));
      when.dateTime = new Date(at).toISOString();
      link.append(make("code", title || `empty, ${languageOf(language).name}`), when);
      return item;
    }),
  );
  part("start", HTMLElement).hidden = false;
  button.focus();
}
