/** Comings and goings, and new names, gathered into as few sentences as they need. */

import type { Peer } from "../client/index.js";
import { isolated, listed } from "./names.js";

/** Milliseconds for which somebody may be away, as to load the page again, without being told to have left. */
export const AWAY_MS = 5000;
/** Milliseconds more after one's own connection was away: the others come back one by one. */
export const BACK_MS = 10_000;
/** Milliseconds in which comings are gathered: a class arrives together. */
export const GATHER_MS = 1000;

/** What is known of somebody who is here, or was a moment ago. */
interface Known {
  readonly name: string;
  /** Time at which they were missed; null: they are here. */
  readonly missedAt: number | null;
}

/** Compares who is here with who was. It never tells of those who were here first. */
export class Comings {
  #known: Map<string, Known> | null = null;
  /** Names of those whose coming is not told yet; one who is missed again meanwhile is not told of. */
  #joined = new Map<string, string>();
  #left = new Map<string, string>();
  /** Names that were known before the new ones. */
  #renamed = new Map<string, string>();
  /** Time since which something waits to be told. */
  #since: number | null = null;

  /** These others are here at `now`, and nobody else. `isBack`: there was no connection just before. */
  update(peers: readonly Peer[], now: number, isBack = false): void {
    const known = this.#known;
    this.#known = new Map(peers.map(({ id, name }) => [id, { name, missedAt: null }]));
    if (known === null) return;
    for (const { id, name } of peers) {
      const before = known.get(id);
      if (before === undefined) this.#joined.set(id, name);
      else if (this.#joined.has(id)) this.#joined.set(id, name);
      else if (before.name !== name && !this.#renamed.has(id)) this.#renamed.set(id, before.name);
    }
    for (const [id, { name, missedAt }] of known)
      if (!this.#known.has(id)) this.#known.set(id, { name, missedAt: missedAt ?? (isBack ? now + BACK_MS : now) });
    if (this.#joined.size + this.#renamed.size > 0) this.#since ??= now;
  }

  /** Tell nothing of somebody who turns out to be no other: they are not among those who are here any more. */
  forget(id: string): void {
    for (const people of [this.#known, this.#joined, this.#left, this.#renamed]) people?.delete(id);
  }

  /** Return the time at which there will be something to tell; null: as long as nothing happens, never. */
  get due(): number | null {
    const missed = Array.from(this.#known?.values() ?? [], ({ missedAt }) => missedAt).filter((at) => at !== null);
    const times = missed.map((at) => at + AWAY_MS);
    if (this.#since !== null) times.push(this.#since + GATHER_MS);
    return times.length > 0 ? Math.min(...times) : null;
  }

  /** Return what has happened by `now`, in words, each thing once; empty: nothing. */
  take(now: number): string {
    for (const [id, { name, missedAt }] of this.#known ?? []) {
      if (missedAt === null || now - missedAt < AWAY_MS) continue;
      this.#known?.delete(id);
      this.#renamed.delete(id);
      // Who came and went unsaid needs no words.
      if (!this.#joined.delete(id)) this.#left.set(id, name);
    }
    const sentences: string[] = [];
    const joined = [...this.#joined].filter(([id]) => this.#known?.get(id)?.missedAt === null);
    if (joined.length > 0) sentences.push(`${listed(joined.map(([, name]) => name))} joined.`);
    if (this.#left.size > 0) sentences.push(`${listed([...this.#left.values()])} left.`);
    // Who has the old name again needs no words.
    for (const [id, before] of this.#renamed) if (this.#known?.get(id)?.name === before) this.#renamed.delete(id);
    if (this.#renamed.size > 2) sentences.push(`${this.#renamed.size} people have new names.`);
    else
      for (const [id, before] of this.#renamed)
        sentences.push(`${isolated(before)} is now ${isolated(this.#known?.get(id)?.name ?? "")}.`);
    for (const [id] of joined) this.#joined.delete(id);
    this.#left.clear();
    this.#renamed.clear();
    this.#since = null;
    return sentences.join(" ");
  }
}
