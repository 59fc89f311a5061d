/** The first words to somebody who has made a codespace: they go when they are not needed any more. */

import { hideBanner, showBanner, type Action } from "./banner.js";
import { copyText } from "./elements.js";
import { showToast } from "./toast.js";

/** Characters after which one has understood that one can type. */
const ENOUGH = 20;

/** Shows the hint until something of it has been done. */
export class Hint {
  constructor() {
    const phone = matchMedia("(max-width: 40rem), (pointer: coarse)").matches;
    const sentence = phone
      ? "This is a new codespace. Send its address to somebody, and type."
      : "This is a new codespace. Open its address in a second window, or send it to somebody, and type.";
    const second: Action = ["Open a second window", () => window.open(location.href, "_blank", "noopener")];
    showBanner("new", "note", sentence, [
      ...(phone ? [] : [second]),
      ["Copy the address", () => void this.#copy()],
      ["Got it", () => this.hide()],
    ]);
  }

  hide(): void {
    hideBanner("new");
  }

  /** Tell how long the text is. */
  typed(length: number): void {
    if (length >= ENOUGH) this.hide();
  }

  /** Tell how many others are here. */
  joined(others: number): void {
    if (others > 0) this.hide();
  }

  async #copy(): Promise<void> {
    if (await copyText(location.href)) {
      showToast("Address copied.");
      this.hide();
    } else {
      showToast("This browser does not let pages copy. Copy the address from the address bar.");
    }
  }
}
