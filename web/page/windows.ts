/** One's own other windows: those of this browser, which tell each other who they are. */

const CHANNEL = "pyshare.windows";

interface Told {
  readonly id: string;
  /** Whether the windows that hear this are asked to tell theirs. */
  readonly asks: boolean;
}

/** Knows the public ids of the clients in other windows of this browser. */
export class OwnWindows {
  readonly #channel = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel(CHANNEL);
  readonly #ids = new Set<string>();
  #own = "";

  /** `onNews` is called with each id that becomes known. */
  constructor(onNews: (id: string) => void) {
    if (this.#channel === null) return;
    this.#channel.onmessage = ({ data }: MessageEvent<Told>) => {
      if (data.asks) this.#tell(false);
      if (data.id === "" || this.#ids.has(data.id)) return;
      this.#ids.add(data.id);
      onNews(data.id);
    };
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  /** Tell the other windows the id of this one's client, and ask for theirs. */
  tell(id: string): void {
    if (id === this.#own) return;
    this.#own = id;
    this.#tell(true);
  }

  #tell(asks: boolean): void {
    this.#channel?.postMessage({ id: this.#own, asks } satisfies Told);
  }
}
