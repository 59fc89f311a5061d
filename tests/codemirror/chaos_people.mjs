// People at editors in Node, told by a program at the other end of their standard input when to type; no packages.
//
// A line of the input is a command: "type", "stop", or "report", which is answered by one line of JSON: for each person
// the name, the text, whether all is confirmed, the words that were typed, and the letters whose fate was told as
// unknown or refused. Each letter is there once; who types a word puts each letter behind the one before.

import readline from "node:readline";

const LOW_SURROGATE = /[\udc00-\udfff]/;
const FILLERS = ["", "", "", "-", "\u{1f600}", "\n"];
const FILLER = /-|\n|\u{1f600}/u;

/** Numbers from 0 to 1 that follow from a seed. */
export function randomOf(seed) {
  let state = seed >>> 0;
  return () => (state = (state * 1664525 + 1013904223) >>> 0) / 4294967296;
}

/** What one person has typed. */
export class Typist {
  constructor(name, letters, random, deletes) {
    this.name = name;
    this.deletes = deletes;
    this.letters = letters;
    this.random = random;
    this.words = [];
    // Letters that were refused, or whose push was dropped: they may stand in the text, or not.
    this.maybe = "";
  }

  /** What is typed next into a text: what stands from `from` to `to` is replaced by `insert`. */
  next(text) {
    const random = this.random;
    if (this.deletes && random() < 0.15) {
      const found = FILLER.exec(text.slice(Math.floor(random() * text.length)));
      const from = found ? text.lastIndexOf(found[0]) : -1;
      if (from >= 0) return { from, to: from + found[0].length, insert: "" };
    }
    const letter = this.letters.shift();
    if (letter === undefined)
      throw new Error(`${this.name} has no letters left`);
    const last = this.words.at(-1)?.at(-1);
    let from = last ? text.indexOf(last) + 1 : 0;
    if (!from || random() < 0.1) {
      this.words.push("");
      from = Math.floor(random() * (text.length + 1));
      if (LOW_SURROGATE.test(text[from] ?? "")) from--;
    }
    this.words[this.words.length - 1] += letter;
    return {
      from,
      to: from,
      insert: letter + FILLERS[Math.floor(random() * FILLERS.length)],
    };
  }

  /** The letters of a text that are counted were refused, or may be lost. */
  tell(text) {
    this.maybe += [...text]
      .filter((each) => this.words.some((word) => word.includes(each)))
      .join("");
  }
}

/** Let people type as they are told. Each has a `typist`, a `text`, `atRest`, `ready`, and takes an `edit`. */
export function serve(people, pauseMs) {
  let typing = false;
  const keys = (person) => {
    if (!typing) return;
    if (person.ready) person.edit(person.typist.next(person.text));
    setTimeout(() => keys(person), pauseMs * 2 * person.typist.random());
  };
  readline.createInterface({ input: process.stdin }).on("line", (line) => {
    if (line === "type" && !typing) {
      typing = true;
      people.forEach(keys);
    } else if (line === "stop") {
      typing = false;
    } else if (line === "report") {
      const told = people.map(
        ({ typist: { name, words, maybe }, text, atRest }) => ({
          name,
          text,
          atRest,
          words,
          maybe,
        }),
      );
      console.log(JSON.stringify(told));
    }
  });
  process.stdin.on("end", () => process.exit(0));
}

/** The names, letters, chances and pauses that a program has given as JSON. */
export function given(text) {
  const { people, seed, deletes, ...rest } = JSON.parse(text);
  const typists = people.map(
    ({ name, letters }, index) =>
      new Typist(name, [...letters], randomOf(seed + index), deletes),
  );
  return { ...rest, typists };
}
