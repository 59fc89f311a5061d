// Stock front ends made of the real @codemirror/state, each with a WebSocket of no subprotocol to a running server.
//
//   node stock.mjs ws://127.0.0.1:8888 SEED [KEYS_A_SECOND]
//
// Each types 60 characters of its own at random places, as SharePython's front end sends them: one insert_value a
// transaction, no version, no answer awaited. A foreign one is applied by ChangeSet.of(changes, doc_length); where that
// does not fit the text, it is lost, as there. Exits 0 if in the end all show one text in which each character stands 60
// times, else 1 and says what is wrong.

import crypto from "node:crypto"
import WebSocket from "ws"
import {ChangeSet, EditorState} from "@codemirror/state"

const [, , addresses, seedText, keysText] = process.argv
const LETTERS = ["a", "b", "c", "d"], TYPED = 60, KEY_MS = 1000 / Number(keysText ?? 40), PATIENCE_MS = 20000
const codespace = `tmp-${crypto.randomUUID()}`

let state = Number(seedText) >>> 0
const random = () => (state = (state * 1664525 + 1013904223) >>> 0) / 4294967296
const pause = ms => new Promise(done => setTimeout(done, ms))

function fail(reason) {
  console.log(reason)
  process.exit(1)
}

class FrontEnd {
  constructor(letter, address) {
    this.letter = letter
    this.id = null
    this.lost = 0
    this.state = EditorState.create({doc: ""})
    this.socket = new WebSocket(`${address}/codespace/${codespace}/`)
    this.socket.on("message", data => this.receive(JSON.parse(data.toString())))
    this.socket.on("error", error => fail(`${letter}: ${error}`))
    this.socket.on("close", (code, reason) => fail(`${letter} was closed: ${code} ${reason}`))
  }

  receive(frame) {
    if (frame.operation == "connected") this.id = frame.data.id
    else if (frame.operation == "insert_value" && frame.sender != this.id) {
      try {
        this.state = this.state.update({changes: ChangeSet.of(frame.changes, frame.doc_length)}).state
      } catch {
        this.lost++
      }
    }
  }

  type() {
    const length = this.state.doc.length, from = Math.floor(random() * (length + 1))
    const changes = [{from, to: from, insert: this.letter}]
    this.state = this.state.update({changes}).state
    this.socket.send(JSON.stringify({operation: "insert_value", sender: this.id, doc_length: length, changes}))
  }

  get text() { return this.state.doc.toString() }
}

const servers = addresses.split(",")
const frontEnds = LETTERS.map((letter, index) => new FrontEnd(letter, servers[index % servers.length]))

async function until(holds, reason) {
  const deadline = Date.now() + PATIENCE_MS
  while (!holds()) {
    if (Date.now() > deadline) fail(reason())
    await pause(20)
  }
}

await until(() => frontEnds.every(each => each.id), () => "not everybody is connected")
await Promise.all(frontEnds.map(async frontEnd => {
  for (let typed = 0; typed < TYPED; typed++) {
    frontEnd.type()
    await pause(KEY_MS * (0.5 + random()))
  }
}))
const counts = () => frontEnds.map(each => LETTERS.map(letter => each.text.split(letter).length - 1).join("/")).join(" ")
const settled = () => new Set(frontEnds.map(each => each.text)).size == 1
  && LETTERS.every(letter => frontEnds[0].text.split(letter).length - 1 == TYPED)
await until(settled, () => `no common text with all that was typed: ${counts()}`)
console.log(`lost and sent again: ${frontEnds.map(each => each.lost).join(" ")}`)
process.exit(0)
