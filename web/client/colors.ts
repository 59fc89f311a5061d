/** The colours by which people are told apart. */

import type { Peer } from "./protocol.js";

/**
 * The colours of clients: a line or a name on it, and the same for dark backgrounds. White on the first and black on
 * the second have a contrast of 4.5 or more (WCAG 2.2, 1.4.3).
 */
export const COLORS: readonly { readonly light: string; readonly dark: string }[] = [
  { light: "#b4232a", dark: "#ff8f8a" },
  { light: "#1c6ab5", dark: "#7cbcff" },
  { light: "#18774a", dark: "#62d69a" },
  { light: "#8a3ffc", dark: "#c9a6ff" },
  { light: "#a3480a", dark: "#ffb072" },
  { light: "#00717c", dark: "#4fd6e2" },
  { light: "#a62a72", dark: "#ff94cf" },
  { light: "#5f6b00", dark: "#ccd84a" },
  { light: "#2a3390", dark: "#8f9bff" },
  { light: "#6b4a34", dark: "#d2b48c" },
  { light: "#4d5a66", dark: "#b9c4cf" },
  { light: "#7a1090", dark: "#f08cff" },
];

/** Somebody who is here, with the number of a colour in `COLORS`. */
export interface PresentPeer extends Peer {
  readonly color: number;
  /** Whether they were here when this client came. */
  readonly wasHere: boolean;
}

/**
 * Gives each who is here a colour that nobody else has, as long as there are any, and lets them keep it. After that, each
 * colour has about as many people as any other.
 *
 * As a rule it is the same on all screens: it follows from the public id.
 */
export class Palette {
  #given = new Map<string, number>();

  /** Take it that these are here, and nobody else. */
  assign(ids: Iterable<string>): void {
    const present = new Set(ids);
    this.#given = new Map([...this.#given].filter(([id]) => present.has(id)));
    const people = COLORS.map(() => 0);
    for (const color of this.#given.values()) people[color]!++;
    for (const id of [...present].sort()) {
      if (this.#given.has(id)) continue;
      const fewest = Math.min(...people);
      let color = preferred(id);
      while (people[color]! > fewest) color = (color + 1) % COLORS.length;
      this.#given.set(id, color);
      people[color]!++;
    }
  }

  /** Return the colour of somebody who is here. */
  of(id: string): number {
    return this.#given.get(id) ?? preferred(id);
  }
}

function preferred(id: string): number {
  let sum = 0;
  for (const character of id) sum = (sum * 31 + character.codePointAt(0)!) >>> 0;
  return sum % COLORS.length;
}
