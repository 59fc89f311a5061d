/** The committed text, and its way from a base: the base is long and changes seldom, so that it is stored apart. */

import { ChangeSet, Text } from "@codemirror/state";

/** Units and changes since the base, each change counted as so many units, above which the next base is due. */
const MOST_SINCE = 8192;
const CHANGE_UNITS = 48;
/** Part of the text's length that is added to that. */
const SHARE_OF_TEXT = 16;

/** A base as a string, and the changes since then as `ChangeSet.toJSON()`; null: none. */
export interface Based {
  readonly base: string;
  readonly since: unknown;
}

export class Committed {
  #text: Text = Text.empty;
  /** The base; null: the text as it will be when somebody asks. */
  #base: string | null = null;
  #since: ChangeSet | null = null;
  #weight = 0;

  get text(): Text {
    return this.#text;
  }

  /** Take a text that came whole. */
  set(text: Text): void {
    this.#text = text;
    this.#base = null;
    this.#since = null;
    this.#weight = 0;
  }

  change(changes: ChangeSet): void {
    this.#text = changes.apply(this.#text);
    if (this.#base === null) return;
    changes.iterChanges((_fromA, _toA, _fromB, _toB, inserted) => (this.#weight += CHANGE_UNITS + inserted.length));
    if (this.#weight > MOST_SINCE + this.#text.length / SHARE_OF_TEXT) this.set(this.#text);
    else this.#since = this.#since === null ? changes : this.#since.compose(changes);
  }

  /** Return the text in two parts; the base is the same string as before, as long as it can be. */
  based(): Based {
    this.#base ??= this.#text.toString();
    return { base: this.#base, since: this.#since?.toJSON() ?? null };
  }

  /**
   * Take up a text in two parts.
   *
   * @throws RangeError if they do not fit one another; nothing is changed then.
   */
  restore({ base, since }: Based): void {
    const begin = Text.of(base.split("\n"));
    const changes = since == null ? null : ChangeSet.fromJSON(since);
    const text = changes === null ? begin : changes.apply(begin);
    this.set(text);
    this.#base = base;
    this.#since = changes;
  }
}
