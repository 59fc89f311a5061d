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

/** Return the address for one connection: who joins, and with what it comes. */
export function joiningAddress(
  address: URL,
  session: string,
  name: string,
  known: { readonly epoch: string; readonly version: number } | null,
): URL {
  const url = new URL(address);
  url.searchParams.set("session", session);
  url.searchParams.set("name", name);
  // This client understands frames in pieces, and signs of life.
  url.searchParams.set("progress", "1");
  if (known !== null) {
    url.searchParams.set("epoch", known.epoch);
    url.searchParams.set("version", String(known.version));
  }
  return url;
}
