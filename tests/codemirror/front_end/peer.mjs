// Plays scripts on front ends: one step on each line of stdin, the front end after it on the same line of stdout.

import {createInterface} from "node:readline"
import {FrontEnd} from "./front_end.mjs"

let frontEnd = null, sent = [], now = 0
// The undo history asks the clock; a script tells the time.
Date.now = () => now

function play({key, ...given}) {
  if (key == "new") {
    now = 0
    sent = []
    frontEnd = new FrontEnd(given.loads ? "" : given.text, {viewOnly: given.viewOnly, send: frame => sent.push(frame)})
    if (given.loads) frontEnd.load(given.text)
  } else if (key == "type") frontEnd.type(given.text)
  else if (key == "paste") frontEnd.paste(given.text)
  else if (key == "select") frontEnd.select(given.ranges, given.main)
  else if (key == "receive") frontEnd.receive(given.frame)
  else if (key == "wait") now += given.ms
  else frontEnd.press(key)
}

function told() {
  const {state, text, dropped, unsent} = frontEnd
  const ranges = state.selection.ranges.map(({anchor, head}) => [anchor, head]), frames = sent
  sent = []
  return {text, ranges, main: state.selection.mainIndex, sent: frames, dropped, unsent}
}

for await (const line of createInterface({input: process.stdin})) {
  let answer
  try {
    play(JSON.parse(line))
    answer = told()
  } catch (error) {
    answer = {failed: `${error.stack}`}
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}
