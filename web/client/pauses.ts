/** Pauses between one connection and the next: each twice as long as the last, until a connection has lasted. */

/** Milliseconds: at first and at most; each is less by chance, up to a half. */
const FIRST_MS = 250;
const LONGEST_MS = 10_000;

export class Pauses {
  #ms = FIRST_MS;

  /** Return the milliseconds of the next pause; `hasLasted`: the connection before it was a good one. */
  next(hasLasted: boolean): number {
    if (hasLasted) this.#ms = FIRST_MS;
    const milliseconds = this.#ms * (1 - Math.random() / 2);
    this.#ms = Math.min(2 * this.#ms, LONGEST_MS);
    return milliseconds;
  }
}
