/** Names as the page shows them: in discs, in sentences, in order. */

/** Somebody without a name. */
export const NAMELESS = "guest";

const FIRST_STRONG_ISOLATE = "\u2068";
const POP_ISOLATE = "\u2069";

/** Return a name for the middle of a sentence: its direction of writing turns nothing around it. */
export function isolated(name: string): string {
  return `${FIRST_STRONG_ISOLATE}${name || NAMELESS}${POP_ISOLATE}`;
}

/** Return the letters of a text as people count them: marks and joined emoji belong to what they follow. */
function letters(text: string): readonly string[] {
  if (typeof Intl.Segmenter === "undefined") return text.match(/\P{M}\p{M}*/gu) ?? [];
  return Array.from(new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(text), ({ segment }) => segment);
}

/**
 * Return one or two letters for the disc of each of `names`; a number at the end is shown itself, as of "Pupil 12".
 *
 * Different names with the same letters are told apart by the next letter in which they differ.
 */
export function initialsOf(names: readonly string[]): string[] {
  const alike = new Map<string, Set<string>>();
  const shown = names.map((name) => (name || NAMELESS).trim());
  const short = shown.map((name) => {
    const words = name.split(/\s+/u);
    const [first = "", last] = [letters(words[0]!)[0], words.length > 1 ? words.at(-1)! : undefined];
    if (last !== undefined && /^\d{2,3}$/.test(last)) return last;
    const initials = `${first}${last === undefined ? "" : letters(last)[0]}`.toUpperCase();
    alike.set(initials, (alike.get(initials) ?? new Set()).add(name));
    return initials;
  });
  const apart = new Map<string, string>();
  for (const group of alike.values()) if (group.size > 1) tellApart(group, apart);
  return short.map((initials, index) => apart.get(shown[index]!) ?? initials);
}

/** Give each name of a group its first letter and one that no other has at that place; else the second, if it has one. */
function tellApart(group: ReadonlySet<string>, apart: Map<string, string>): void {
  const names = Array.from(group, (name) => [name, letters(name.replace(/\s+/gu, ""))] as const);
  const longest = Math.max(...names.map(([, each]) => each.length));
  for (let place = longest - 1; place > 0; place--) {
    const times = new Map<string | undefined, number>();
    for (const [, each] of names) times.set(each[place], (times.get(each[place]) ?? 0) + 1);
    for (const [name, each] of names) {
      const isOwn = times.get(each[place]) === 1 || (place === 1 && !apart.has(name));
      if (each[place] !== undefined && isOwn) apart.set(name, each[0]!.toUpperCase() + each[place]);
    }
  }
}

/** Return people in the order of their names, as readers of the page's language look for them. */
export function byName<Person extends { readonly name: string }>(people: readonly Person[]): Person[] {
  const order = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
  return [...people].sort((one, other) => order.compare(one.name || NAMELESS, other.name || NAMELESS));
}

/** Return names as one phrase, as "Ben", "Ben and Chloe", or "Ben and 6 others". */
export function listed(names: readonly string[]): string {
  const [first = "", second = ""] = names.map(isolated);
  if (names.length < 2) return first;
  return names.length === 2 ? `${first} and ${second}` : `${first} and ${names.length - 1} others`;
}
