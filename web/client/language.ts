/** The language in which the text is shown: a choice for all who are here, of which the newest holds. */

import type { ClientFrame, Mode } from "./protocol.js";

export class SharedLanguage {
  readonly #onLanguage: (name: string, id: string) => void;
  #name = "";
  /** What was chosen here and is not known to hold; null: nothing. It is sent again over the next connection. */
  #wanted: string | null = null;
  /** Whether that is still to be sent over this connection. */
  #isDue = false;
  /** Whether the server takes a choice of this client; null before the first welcome. */
  #isTaken: boolean | null = null;

  /** `onLanguage` is called with each language that is told, and the public id of who chose it; empty: long ago. */
  constructor(onLanguage: (name: string, id: string) => void) {
    this.#onLanguage = onLanguage;
  }

  /** The language that holds, or will when it is sent; empty: none was chosen. */
  get name(): string {
    return this.#wanted ?? this.#name;
  }

  choose(name: string): void {
    if (name === this.name) return;
    if (this.#isTaken === false) {
      this.#name = name;
    } else {
      this.#wanted = name;
      this.#isDue = true;
    }
  }

  /** Take what a welcome tells; older servers tell, and take, no language. */
  welcome(name: string | undefined, mode: Mode): void {
    this.#isTaken = this.#isDue = name !== undefined && mode === "edit";
    if (!this.#isTaken) this.#wanted = null;
    // A server that was started anew has forgotten it.
    else if (name === "" && this.#name !== "") this.#wanted ??= this.#name;
    // It holds already: the server answers nothing to the same choice.
    else if (name === this.#wanted) this.#wanted = null;
    if (name && this.#wanted === null) this.receive(name, "");
  }

  receive(name: string, id: string): void {
    // What was sent before is known now, or was followed by this.
    if (!this.#isDue) this.#wanted = null;
    this.#name = name;
    this.#onLanguage(name, id);
  }

  /** Return the choice to be sent now, if any. */
  next(): ClientFrame | null {
    if (this.#wanted === null || !this.#isTaken || !this.#isDue) return null;
    this.#isDue = false;
    return { type: "language", name: this.#wanted };
  }
}
