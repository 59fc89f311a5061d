/** Pauses between one connection and the next: each twice as long as the last, until a connection was of use. */

/** Milliseconds: at first and at most; each is less by chance, up to a half. */
const FIRST_MS = 250;
const LONGEST_MS = 10_000;
/** Milliseconds that a connection has to last from its welcome on for the next pause to be a first one. */
const SETTLED_MS = 1000;

export class Pauses {
  #ms = FIRST_MS;
  /** Time of the present connection's welcome; null: it has had none. */
  #welcomedAt: number | null = null;

  /** Take note of a welcome. */
  welcomed(now: number): void {
    this.#welcomedAt = now;
  }

  /** Have the next pause be a first one. */
  restart(): void {
    this.#ms = FIRST_MS;
  }

  /** Return the milliseconds of the pause after a connection that has ended. */
  next(now: number): number {
    if (this.#welcomedAt !== null && now - this.#welcomedAt >= SETTLED_MS) this.restart();
    this.#welcomedAt = null;
    const milliseconds = this.#ms * (1 - Math.random() / 2);
    this.#ms = Math.min(2 * this.#ms, LONGEST_MS);
    return milliseconds;
  }
}
