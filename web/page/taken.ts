/** Edits that were taken back, and their texts until they are closed; bounded by bytes. */

import type { Refusal } from "../client/index.js";

/** Bytes that the texts take together at most: two for each UTF-16 unit, and some for each edit. */
export const TAKEN_BYTES = 8 * 2 ** 20;
const EDIT_BYTES = 1000;

/** Edits that were taken back and that nobody has closed yet, the newest last. */
export class TakenBack {
  readonly #kept: Refusal[] = [];
  #bytes = 0;
  /** The number of those whose texts were let go of. */
  #gone = 0;
  #last: Refusal | null = null;

  /** Keep an edit, and let go of the oldest ones above the bound. A text of an earlier visit is offered by the next one. */
  add(refusal: Refusal): void {
    this.#last = refusal;
    this.#kept.push(refusal);
    this.#bytes += bytesOf(refusal);
    while (this.#bytes > TAKEN_BYTES) {
      this.#bytes -= bytesOf(this.#kept.shift()!);
      this.#gone++;
    }
  }

  /** The texts that are kept, each on lines of its own; empty if there are none. */
  get text(): string {
    return this.#kept
      .map(({ inserted }) => inserted)
      .filter((text) => text !== "")
      .join("\n");
  }

  /** Sentences about all of them, and the reason for the last one; empty if there are none. */
  get sentence(): string {
    if (this.#last === null) return "";
    const { code, reason } = this.#last;
    const what = code === "set_aside" ? "Text of an earlier visit could not be saved" : "An edit was taken back";
    const all = this.#kept.length + this.#gone;
    const count = all > 1 ? ` (this is the last of ${all})` : "";
    const megabytes = TAKEN_BYTES / 2 ** 20;
    const edits = this.#gone === 1 ? "one edit" : `${this.#gone} edits`;
    const gone =
      this.#gone > 0 ? ` The text of ${edits} is not kept: together they have more than ${megabytes} MiB.` : "";
    return `${what}: ${reason}${count}.${gone}`;
  }

  /** Keep nothing any more, and have texts of earlier visits that were offered here offered no more. */
  close(): void {
    for (const { forget } of this.#kept.splice(0)) forget?.();
    this.#last = null;
    this.#bytes = this.#gone = 0;
  }
}

function bytesOf({ inserted }: Refusal): number {
  return EDIT_BYTES + 2 * inserted.length;
}
