/** Unsaved edits in a form that can be stored. */

import type { ChangeSet } from "@codemirror/state";

import { measure } from "./parcel.js";

export interface Draft {
  readonly epoch: string;
  readonly version: number;
  /** A committed text; the same string as in the draft before, as long as it can be. */
  readonly base: string;
  /** Changes from `base` to the committed text as of `version`, as `ChangeSet.toJSON()`; null or absent: none. */
  readonly since?: unknown;
  /**
   * Edits on top of the committed text, as `ChangeSet.toJSON()`; the first `inFlight.count` of them are that push. A long
   * one is the same object as in the draft before, as long as it can be.
   */
  readonly changes: readonly unknown[];
  /** `isPart`: the push is the beginning of an edit that goes on in the next one of `changes`. */
  readonly inFlight: { readonly seq: number; readonly count: number; readonly isPart?: boolean } | null;
  /** Number of the last push. */
  readonly seq: number;
}

/** Bytes of edits above which they stand apart in a draft: what is typed behind them is then written without them. */
const LONG_BYTES = 16_384;

/** Edits on their way into drafts. */
export class Drafted {
  readonly #json = new WeakMap<ChangeSet, unknown>();

  /** Return a chain as it stands in a draft, short edits together; the first one stays apart if `isFlying`. */
  of(chain: readonly ChangeSet[], isFlying: boolean): readonly unknown[] {
    const sets: ChangeSet[] = [];
    let wasShort = false;
    chain.forEach((changes, index) => {
      const isShort = measure(changes).bytes <= LONG_BYTES && !(isFlying && index === 0);
      if (isShort && wasShort) sets.push(sets.pop()!.compose(changes));
      else sets.push(changes);
      wasShort = isShort;
    });
    return sets.map((changes) => this.#jsonOf(changes));
  }

  #jsonOf(changes: ChangeSet): unknown {
    const json = this.#json.get(changes) ?? (changes.toJSON() as unknown);
    this.#json.set(changes, json);
    return json;
  }
}

/**
 * Return the text that can be found in a draft as JSON, or in what is left of one: the strings among its changes.
 */
export function textIn(json: string): string {
  const start = json.indexOf('"changes"');
  const end = json.indexOf('"inFlight"', start);
  const changes = json.slice(start < 0 ? 0 : start + '"changes"'.length, start < 0 || end < 0 ? undefined : end);
  // With the names of fields, which are told by the colon behind them, so that no quote is taken for another's.
  const literals = [...changes.matchAll(/"((?:[^"\\]|\\.)*)(?:"(\s*:)?|\\?$)/g)];
  const strings = literals.flatMap(([, string, colon]) => (colon === undefined ? [unescaped(string!)] : []));
  return start < 0 ? "" : strings.join("\n").trim();
}

function unescaped(string: string): string {
  try {
    return JSON.parse(`"${string}"`) as string;
  } catch {
    return string;
  }
}
