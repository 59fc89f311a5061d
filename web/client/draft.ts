/** Unsaved edits in a form that can be stored. */

export interface Draft {
  readonly epoch: string;
  readonly version: number;
  /** A committed text; the same string as in the draft before, as long as it can be. */
  readonly base: string;
  /** Changes from `base` to the committed text as of `version`, as `ChangeSet.toJSON()`; null or absent: none. */
  readonly since?: unknown;
  /** Edits on top of the committed text, as `ChangeSet.toJSON()`; the first `inFlight.count` of them are that push. */
  readonly changes: readonly unknown[];
  readonly inFlight: { readonly seq: number; readonly count: number } | null;
  /** Number of the last push. */
  readonly seq: number;
}
