/** Edits that closed windows have left unsaved: each is sent by a connection of its own, one after the other. */

import { EditorState, type Transaction } from "@codemirror/state";

import type { DraftStore } from "./drafts.js";
import type { Editor } from "./screen.js";
import type { Status } from "./status.js";

/** Connects an editor that nobody sees, and returns the way to end that. */
export type Open = (editor: Editor, drafts: DraftStore, onStatus: (status: Status) => void) => { close(): void };

export class Leftovers {
  readonly #open: Open;
  /** The connection that sends now. */
  #sender: { close(): void } | null = null;
  #isBusy = false;
  #isClosed = false;

  constructor(open: Open) {
    this.#open = open;
  }

  /** Send all that is left; `drafts` knows where. What cannot be sent stays where it is. */
  async send(drafts: DraftStore): Promise<void> {
    if (this.#isBusy || this.#isClosed) return;
    this.#isBusy = true;
    for (let next = await drafts.next?.(); next; next = await drafts.next?.()) {
      if (this.#isClosed) next.release();
      else await this.#sendOne(next);
    }
    this.#isBusy = false;
  }

  close(): void {
    this.#isClosed = true;
    this.#sender?.close();
  }

  #sendOne(drafts: DraftStore): Promise<void> {
    return new Promise((resolve) => {
      const sender = this.#open(unseenEditor(), drafts, (status) => {
        if (status.state === "closed") resolve();
        else if (status.state === "connected" && status.unsaved === 0) queueMicrotask(() => sender.close());
      });
      this.#sender = sender;
    });
  }
}

/** Return an editor without a screen. */
function unseenEditor(): Editor {
  let state = EditorState.create();
  return {
    get state() {
      return state;
    },
    dispatch(transactions: readonly Transaction[]) {
      for (const transaction of transactions) state = transaction.state;
    },
  };
}
