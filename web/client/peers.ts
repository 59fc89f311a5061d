/** The selections of others in an editor's text, as a field of its state: they move with the text. */

import { StateEffect, StateField } from "@codemirror/state";

import type { PresentPeer } from "./colors.js";
import type { SelectedRange } from "./protocol.js";

export interface ShownPeer {
  readonly name: string;
  /** Which of `COLORS`. */
  readonly color: number;
  readonly ranges: readonly SelectedRange[];
  /** Counts what its owner has done here; what was so before this editor came does not count. */
  readonly moves: number;
}

/** A peer has selected something else. */
export const peerSelected = StateEffect.define<{ readonly id: string; readonly ranges: readonly SelectedRange[] }>();

/** These are here, and nobody else. */
export const peersPresent = StateEffect.define<readonly PresentPeer[]>();

export const shownPeers = StateField.define<ReadonlyMap<string, ShownPeer>>({
  create: () => new Map(),
  update(shown, transaction) {
    let next = shown;
    if (transaction.docChanged && shown.size > 0) {
      const place = (pos: number): number => transaction.changes.mapPos(pos);
      const moved = ([anchor, head]: SelectedRange): SelectedRange => [place(anchor), place(head)];
      next = new Map(Array.from(next, ([id, each]) => [id, { ...each, ranges: each.ranges.map(moved) }]));
    }
    for (const effect of transaction.effects) {
      if (effect.is(peerSelected)) {
        const { id, ranges } = effect.value;
        const before = next.get(id);
        // One map for all effects of a transaction.
        if (next === shown) next = new Map(shown);
        (next as Map<string, ShownPeer>).set(id, {
          name: before?.name ?? "",
          color: before?.color ?? 0,
          ranges,
          moves: (before?.moves ?? 0) + 1,
        });
      } else if (effect.is(peersPresent)) {
        const known = next;
        next = new Map(
          effect.value.map((peer) => {
            const before = known.get(peer.id);
            const { color, wasHere } = peer;
            // What is told first of those who were here before is what they had selected then.
            const first = wasHere ? -1 : 0;
            const name = peer.name || "guest";
            return [peer.id, { name, color, ranges: before?.ranges ?? [], moves: before?.moves ?? first }];
          }),
        );
      }
    }
    return next;
  },
});
