/**
 * The page's address: `/#TOKEN/LANGUAGE`.
 *
 * Behind the hash nothing of it is sent anywhere: whoever has the token may join.
 */

export interface Place {
  readonly token: string;
  readonly language: string;
}

/** Return what an address's hash says; null if it names no codespace. */
export function parseHash(hash: string): Place | null {
  const [token = "", language = ""] = hash.replace(/^#/, "").split("/");
  return /^[A-Za-z0-9_.=-]{1,512}$/.test(token) ? { token, language } : null;
}

/** Return the hash for a codespace. */
export function formatHash(token: string, language: string): string {
  return `#${token}/${language}`;
}

/** Return the whole address of a codespace. */
export function formatAddress(token: string, language: string): string {
  return `${location.origin}/${formatHash(token, language)}`;
}
