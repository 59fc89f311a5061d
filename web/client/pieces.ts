/** Frames that come in pieces, so that a long one is seen to arrive. */

/** Puts the pieces of one frame after the other together; one for each connection. */
export class Pieces {
  /** Pieces of a frame whose last one has not come. */
  #parts: string[] = [];

  /**
   * Return the frame that a message completes; null if more pieces follow.
   *
   * @throws SyntaxError if the message is not text, or stands between the pieces of a frame.
   */
  add(message: unknown): string | null {
    if (typeof message !== "string") throw new SyntaxError("a binary message");
    const mark = message[0];
    if (mark !== "+" && mark !== "=") {
      if (this.#parts.length > 0) throw new SyntaxError("a message stands between the pieces of a frame");
      return message;
    }
    this.#parts.push(message.slice(1));
    if (mark === "+") return null;
    const frame = this.#parts.join("");
    this.#parts = [];
    return frame;
  }
}
