/**
 * The page's address: `#TOKEN/LANGUAGE` behind the folder in which the page is.
 *
 * Browsers send nothing of what is behind the hash. A token is a key: its bearer may join.
 */

export interface Place {
  readonly token: string;
  readonly language: string;
}

/** Text that chats, mails and sentences put behind a link: brackets, stops, quotes, and fields that count readers. */
const HARMLESS = /^(?:[)\]}>.,;:!?'"’”»*\s]*|[?&][^#]*)$/;

/** Return the codespace that an address's hash names; "start" if it names none, "broken" if it is not a whole link. */
export function parseHash(hash: string): Place | "start" | "broken" {
  const text = decoded(hash.replace(/^#/, "")).trim();
  if (text === "") return "start";
  const [, found = "", rest = ""] = /^([A-Za-z0-9_.=-]{0,512})(.*)$/s.exec(text)!;
  // A stop ends a sentence, and never a token.
  const token = found.replace(/\.+$/, "");
  const [, language = "", behind = ""] = /^\/([a-z]*)(.*)$/s.exec(rest) ?? ["", "", rest];
  return token !== "" && HARMLESS.test(behind) ? { token, language } : "broken";
}

/** Return the hash for a codespace. */
export function formatHash(token: string, language: string): string {
  return `#${token}/${language}`;
}

/** Return the whole address of a codespace, in the folder of the page at `page`. */
export function formatAddress(token: string, language: string, page: string = document.baseURI): string {
  return new URL(formatHash(token, language), new URL(".", page)).href;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
