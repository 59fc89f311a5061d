/** Addresses of a codespace for WebSockets. */

/** The hash of a link to pyshare's page: a token, and perhaps a language. */
const LINK = /^#([A-Za-z0-9_.=-]+)(?:\/[a-z]*)?$/;
const PATH = /^(?:\/[^/]+)*\/codespace\/[^/]+\/$/;

/**
 * Return the WebSocket address of a codespace, from that, the http one, or a link to pyshare's page.
 *
 * @throws TypeError if `url` is not such an address; says what is wrong with it.
 */
export function socketAddress(url: string | URL): URL {
  const given = String(url);
  const address = parsed(given);
  address.protocol = address.protocol.replace(/^http/, "ws");
  const link = LINK.exec(address.hash);
  if (link !== null && !PATH.test(address.pathname)) {
    address.pathname = new URL(`codespace/${link[1]!}/`, address).pathname;
    address.hash = "";
  }
  if (!address.pathname.endsWith("/")) address.pathname += "/";
  const mistake = mistakeOf(address);
  if (mistake !== "") throw new TypeError(`${JSON.stringify(given)} is not the address of a codespace: it ${mistake}`);
  return address;
}

function parsed(given: string): URL {
  const base = typeof document === "undefined" ? undefined : document.baseURI;
  try {
    return new URL(given, base);
  } catch {
    const words = 'is not a URL; one looks like "wss://example.org/codespace/TOKEN/"';
    throw new TypeError(`${JSON.stringify(given)} is not the address of a codespace: it ${words}`);
  }
}

function mistakeOf({ protocol, username, password, pathname, search, hash }: URL): string {
  if (!/^wss?:$/.test(protocol)) return "should begin with ws:, wss:, http: or https:";
  if (username !== "" || password !== "") return "should have no user and password; the token says who may join";
  if (!PATH.test(pathname)) return "should have the path /codespace/TOKEN/, or be a link to pyshare's page";
  return search !== "" || hash !== "" ? "should end with the path; the client adds the query itself" : "";
}

/** The point of a log from which a client goes on when it comes back. */
export interface ResumePoint {
  readonly epoch: string;
  readonly version: number;
  /** The mark of the update that made the version, its sender and number; null: it is not known. */
  readonly tip: string | null;
}

/** Return the address for one connection: who joins, and with what it comes. */
export function joiningAddress(address: URL, session: string, name: string, known: ResumePoint | null): URL {
  const url = new URL(address);
  url.searchParams.set("session", session);
  url.searchParams.set("name", name);
  // This client understands frames in pieces, and signs of life.
  url.searchParams.set("progress", "1");
  if (known !== null) {
    url.searchParams.set("epoch", known.epoch);
    url.searchParams.set("version", String(known.version));
    if (known.tip !== null) url.searchParams.set("tip", known.tip);
  }
  return url;
}
