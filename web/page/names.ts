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
 * Return one or two letters for the disc of each of `names`.
 *
 * Different names of one word that begin alike are told apart by the first letter after that in which they differ.
 */
export function initialsOf(names: readonly string[]): string[] {
  const alike = new Map<string, Set<string>>();
  const short = names.map((name) => {
    const words = (name || NAMELESS).trim().split(/\s+/u);
    const ends = words.length > 1 ? [words[0]!, words.at(-1)!] : words;
    const initials = ends
      .map((word) => letters(word)[0] ?? "")
      .join("")
      .toUpperCase();
    if (words.length === 1) alike.set(initials, (alike.get(initials) ?? new Set()).add(words[0]!));
    return initials;
  });
  const second = new Map<string, string>();
  for (const group of alike.values()) if (group.size > 1) tellApart(group, second);
  return short.map((initials, index) => initials + (second.get((names[index] || NAMELESS).trim()) ?? ""));
}

/** Find for each word of a group a letter that no other has at its place; the second letter, where there is none. */
function tellApart(group: ReadonlySet<string>, second: Map<string, string>): void {
  const words = Array.from(group, (word) => [word, letters(word)] as const);
  const longest = Math.max(...words.map(([, each]) => each.length));
  for (let place = longest - 1; place > 0; place--) {
    const times = new Map<string, number>();
    for (const [, each] of words) times.set(each[place] ?? "", (times.get(each[place] ?? "") ?? 0) + 1);
    for (const [word, each] of words) {
      const letter = each[place];
      if (letter !== undefined && times.get(letter) === 1) second.set(word, letter);
    }
  }
  for (const [word, each] of words) if (!second.has(word) && each[1] !== undefined) second.set(word, each[1]);
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
