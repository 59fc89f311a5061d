/** Names of people: only names, whatever others have put into them. */

/** Controls and line breaks: each stretch of them is one space. */
const BREAKS = /[\p{Cc}\p{Zl}\p{Zp}]+/gu;
/** Characters that turn the direction of writing, or isolate it: the page isolates names itself. */
const TURNS = /[\u202a-\u202e\u2066-\u2069]/gu;
/** Marks on one letter, of which the first three are kept: a pile of them runs over the lines above and below. */
const PILES = /(\p{M}{3})\p{M}+/gu;
/** A character with something to see, by itself. */
const VISIBLE = /[^\p{Cc}\p{Cf}\p{Cs}\p{Z}\p{M}\p{Default_Ignorable_Code_Point}\u2800]/u;

/** Return a name as it can be shown on one line; empty if nothing of it would be seen. */
export function plainName(name: string): string {
  const plain = name.replace(BREAKS, " ").replace(TURNS, "").replace(PILES, "$1").trim();
  return VISIBLE.test(plain) ? plain : "";
}
