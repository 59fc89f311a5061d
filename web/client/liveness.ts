/**
 * Deadlines of one connection: each moves while anything moves, in either direction.
 *
 * Times are milliseconds since 1970 and come from the caller, so that a scene can have a clock of its own. A clock that
 * stands still while the machine sleeps would hide the sleep.
 */

/** Milliseconds without progress from dialling to the welcome. */
const WELCOME_MS = 15_000;
/** Milliseconds without progress while a push waits for its answer. */
const UNANSWERED_MS = 10_000;
/** Milliseconds that a server's sign of life may be late before the server is asked for one. */
const LATE_MS = 5000;
/** Milliseconds without progress after a question: one of routine, and one after sleep or a change of network. */
const ROUTINE_ANSWER_MS = 10_000;
const ANSWER_MS = 5000;
/** Milliseconds by which a timer is late only if the machine slept, or the browser held the page back. */
const SLEPT_MS = 5000;
/**
 * Milliseconds between two looks at the bytes that have not left, and between two looks at all. Timers can stand still while
 * a machine sleeps: the next look then finds that the clock has not.
 */
const LEAVING_MS = 1000;
const LOOK_MS = 5000;
/** Bytes above which a push can hold up the question behind it for longer than an answer may take. */
const LONG_PUSH_BYTES = 32_768;

/** Result of a look at a connection: it is lost, or the next look is due then; `ask`: send a question first. */
export type Verdict = "lost" | { readonly ask: boolean; readonly lookAt: number };

export class Liveness {
  #welcomed = false;
  /** Milliseconds after which a silent server gives a sign of life; null: it gives none. */
  #aliveMs: number | null = null;
  /** When anything last moved. */
  #progressAt: number;
  /** Bytes that had not left at the last look. */
  #leaving = 0;
  /** When the server was asked for a word, and the milliseconds without progress that its answer may take. */
  #askedAt: number | null = null;
  #answerMs = ROUTINE_ANSWER_MS;
  #waiting = false;
  #longPush = false;
  /** When the last look was, and when the next one is due. */
  #lookedAt: number;
  #lookAt = Infinity;

  constructor(now: number) {
    this.#progressAt = now;
    this.#lookedAt = now;
  }

  /** When the server was asked for a word, while it owes one. */
  get askedAt(): number | null {
    return this.#askedAt;
  }

  /** Return the time at which a server that was heard then should have said something again; null: it need not. */
  silentAt(heardAt: number): number | null {
    return this.#aliveMs === null ? null : heardAt + this.#aliveMs + LATE_MS;
  }

  /** Take note of a message, a piece of one, or the opening of the socket. */
  heard(now: number): void {
    this.#progressAt = now;
    this.#askedAt = null;
  }

  /** Take the welcome's word of the signs of life; 0: there are none. */
  welcomed(aliveMs: number | undefined): void {
    this.#welcomed = true;
    this.#aliveMs = aliveMs === 0 ? null : (aliveMs ?? null);
  }

  /** Take note of a push of so many bytes that was sent. */
  pushed(now: number, bytes: number): void {
    this.#progressAt = now;
    this.#longPush = bytes > LONG_PUSH_BYTES;
  }

  /** Take note of whether the server owes the answer to a push. */
  waits(now: number, isWaiting: boolean): void {
    if (isWaiting && !this.#waiting) this.#progressAt = now;
    this.#waiting = isWaiting;
    if (!isWaiting) this.#longPush = false;
  }

  /** Want a word soon: the machine slept, or the network has changed. Return whether to send a question. */
  wonder(now: number): boolean {
    if (this.#welcomed && this.#aliveMs === null) return false;
    const asked = this.#askedAt !== null;
    this.#answerMs = this.#longPush ? UNANSWERED_MS : ANSWER_MS;
    this.#progressAt = now;
    this.#askedAt ??= now;
    return this.#welcomed && !asked;
  }

  /** Look whether the connection lives; `leaving`: bytes that have not left this machine. */
  look(now: number, leaving: number): Verdict {
    const slept = now - this.#lookAt > SLEPT_MS || now < this.#lookedAt;
    if (leaving < this.#leaving || now < this.#progressAt) this.#progressAt = now;
    this.#leaving = leaving;
    this.#lookedAt = now;
    let ask = false;
    if (slept && this.#askedAt === null) ask = this.wonder(now);
    if (now >= this.#deadline()) {
      const canAsk = this.#welcomed && !this.#waiting && this.#askedAt === null;
      if (!canAsk) return "lost";
      this.#askedAt = this.#progressAt = now;
      this.#answerMs = ROUTINE_ANSWER_MS;
      ask = true;
    }
    this.#lookAt = Math.min(this.#deadline(), now + (leaving > 0 ? LEAVING_MS : LOOK_MS));
    return { ask, lookAt: this.#lookAt };
  }

  #deadline(): number {
    if (this.#askedAt !== null) return this.#progressAt + this.#answerMs;
    if (!this.#welcomed) return this.#progressAt + WELCOME_MS;
    if (this.#waiting) return this.#progressAt + UNANSWERED_MS;
    return this.#aliveMs === null ? Infinity : this.#progressAt + this.#aliveMs + LATE_MS;
  }
}
