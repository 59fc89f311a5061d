// Scenes of people at stock front ends: each has a text, people, and what must hold of the text in the end.
//
// Each person types characters of their own, at their cursor; a frame of somebody else moves it, as in the real front
// end. `typed` in a scene's verdict: how often each character must stand in the end (exact), or may at most (atMost).

const LETTERS = ["a", "b", "c", "d"]
const FACES = ["\u{1f600}", "\u{1f680}", "\u{1f40d}"]
const JOINED = ["\u{1f468}\u200d\u{1f469}\u200d\u{1f466}", "\u{1f1e9}\u{1f1ea}", "\u{1f44d}\u{1f3fd}", "e\u0301"]

const lines = (count, line = "    x = 1 + 2 + 3 - 4 * 5") => Array.from({length: count}, () => line).join("\n") + "\n"
const times = async (count, act) => { for (let index = 0; index < count; index++) await act(index) }

// Types `count` characters one by one, `keys` a second.
const types = (person, character, count, keys = 40) => times(count, async () => {
  person.type(character)
  await person.pauses(1000 / keys)
})
const all = (people, character, count, keys) => people.map((person, index) => types(person, character(index), count, keys))
const counted = (characters, count) => Object.fromEntries(characters.map(character => [character, count]))

// Everybody clicks at a place of their own, the first at the start and the last at the end.
const spread = everybody => everybody.forEach((person, index) => person.clicks(index / (everybody.length - 1)))

// Everybody types letters of their own and nothing else happens: the text is the one before, and those.
const typing = (people, count, {text = lines(8), keys = 40} = {}) => ({
  people, text,
  act(everybody) {
    spread(everybody)
    return Promise.all(all(everybody, index => LETTERS[index], count, keys))
  },
  exact: counted(LETTERS.slice(0, people), count),
  rest: text,
})

export const SCENES = {
  // Two people and three, and with them in texts of any length.
  two: () => typing(2, 60),
  three: () => typing(3, 200),
  slow: () => typing(3, 40, {text: lines(2000), keys: 12}),
  long: () => typing(3, 60, {text: lines(2000)}),
  longest: () => typing(3, 60, {text: lines(6000)}),

  // Four people, each of whom clicks somewhere before each key.
  places: ({keys}) => ({
    ...typing(4, 60),
    act: everybody => Promise.all(everybody.map((person, index) => times(60, async () => {
      person.clicks()
      person.type(LETTERS[index])
      await person.pauses(1000 / keys)
    }))),
  }),

  // One pastes as many lines as can be sent, the others type.
  pastes: () => ({
    people: 3,
    act: ([one, ...others]) => Promise.all([
      times(10, async index => {
        one.paste(Array.from({length: 31}, (_, line) => `${index * 31 + line};`).join("\n") + "\n")
        await one.pauses(100)
      }),
      ...all(others, index => LETTERS[index], 50, 40),
    ]),
    exact: {...counted(["a", "b"], 50), ";": 310, "\n": 310},
  }),

  // One indents all lines, all are at rest, and then the others type.
  indents: () => ({
    people: 3, text: lines(12, "x = 1"),
    async act([one, ...others], rests) {
      one.press("selectAll")
      one.press("indent")
      await rests()
      await Promise.all(all(others, index => LETTERS[index], 10, 10))
    },
    exact: counted(["a", "b"], 10), rest: lines(12, "  x = 1"),
  }),

  // Everybody types while one indents, dedents and comments all lines.
  tabs: () => ({
    people: 3, text: lines(40, "x = 1"),
    act: ([one, ...others]) => Promise.all([
      times(8, async index => {
        one.press("selectAll")
        one.press(["indent", "comment", "comment", "dedent"][index % 4])
        await one.pauses(150)
      }),
      ...all(others, index => LETTERS[index], 40, 40),
    ]),
    exact: {...counted(["a", "b"], 40), x: 40, "\n": 40},
  }),

  // Characters outside of the Basic Multilingual Plane, and backspace through them and through what joins some.
  emoji: () => ({
    people: 3,
    act: everybody => Promise.all(all(everybody, index => FACES[index], 50, 20)),
    exact: counted(FACES, 50), rest: "",
  }),
  backspace: () => ({
    people: 3,
    act: everybody => Promise.all(everybody.map((person, index) => times(60, async step => {
      if (step % 3 == 2) person.press("backspace")
      else person.type(step % 2 ? FACES[index] : JOINED[(step + index) % 4])
      await person.pauses(30)
    }))),
    atMost: counted(FACES, 20),
  }),
  erasing: () => ({
    people: 2, text: lines(40, "x = 1"),
    act: ([one, other]) => Promise.all([
      times(80, async () => {
        one.press("backspace")
        await one.pauses(15)
      }),
      types(other, "a", 40, 40),
    ]),
    atMost: {a: 40, x: 40},
  }),

  // Undo and redo take edits of others back too, and bring them again: only that all texts are equal can be judged.
  undo: () => ({
    people: 3, text: "x = 1\n",
    act: everybody => Promise.all(everybody.map((person, index) => times(60, async step => {
      if (step % 6 == 4) person.press("undo")
      else if (step % 12 == 11) person.press("redo")
      else person.type(LETTERS[index])
      await person.pauses(30)
    }))),
  }),

  // One selects everything and deletes it, four times; and one selects everything, and does nothing with it.
  deletes: () => ({
    people: 3, text: lines(20, "x = 1"),
    act: ([one, ...others]) => Promise.all([
      times(4, async () => {
        await one.pauses(300)
        one.press("selectAll")
        one.press("delete")
      }),
      ...all(others, index => LETTERS[index], 50, 40),
    ]),
    atMost: {...counted(["a", "b"], 50), x: 20},
  }),
  selects: () => ({
    people: 3, text: lines(20, "x = 1"),
    act: ([one, ...others]) => Promise.all([
      times(5, async () => {
        one.press("selectAll")
        await one.pauses(200)
      }),
      ...all(others, index => LETTERS[index], 40, 40),
    ]),
    exact: counted(["a", "b"], 40), rest: lines(20, "x = 1"),
  }),

  // More lines than the front end can send: they stay in one editor, until that is brought back to the common text.
  unsent: () => ({
    people: 3, text: "x = 1\n",
    act: ([one, ...others]) => Promise.all([
      times(3, async () => {
        await one.pauses(300)
        one.paste(lines(40, "p"))
        one.type("c")
      }),
      ...all(others, index => LETTERS[index], 40, 40),
    ]),
    exact: {...counted(["a", "b"], 40), c: 3, p: 0}, rest: "x = 1\n",
  }),

  // Everything by everybody.
  anything: () => ({
    people: 3, text: lines(30, "x = 1"),
    act: (everybody, _rests, random) => Promise.all(everybody.map((person, index) => times(100, async () => {
      const dice = random()
      if (dice < 0.6) person.type(random() < 0.1 ? FACES[index] : LETTERS[index])
      else if (dice < 0.64) person.paste(lines(Math.floor(random() * 40), "p"))
      else if (dice < 0.68) person.clicks()
      else if (dice < 0.7) person.press("selectAll")
      else {
        const keys = ["undo", "redo", "indent", "dedent", "comment", "up", "down", "backspace", "delete", "enter", "escape"]
        const key = keys[Math.floor(random() * keys.length)]
        if (!["up", "down"].includes(key) || person.single) person.press(key)
      }
      await person.pauses(40)
    }))),
  }),
}
