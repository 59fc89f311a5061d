/** Addresses of a codespace for WebSockets. */

/** Return the WebSocket address of a codespace, from that or the http one. */
export function socketAddress(url: string | URL): URL {
  const base = typeof document === "undefined" ? undefined : document.baseURI;
  const address = new URL(url, base);
  address.protocol = address.protocol.replace(/^http/, "ws");
  if (!/^wss?:$/.test(address.protocol)) throw new TypeError(`${address.protocol} is no protocol of a codespace`);
  address.hash = "";
  return address;
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
