// Independent editors made of the real @codemirror/collab, each with a WebSocket to a running server.
//
//   node editors.mjs ws://127.0.0.1:8888 SEED [ROUNDS PAUSE_MS]
//
// They type characters that are there once, emoji and line breaks, delete what is not counted, and cut their
// connections. Exits 0 if in the end all show one text in which every counted character stands once, else 1 and
// says what is wrong.

import crypto from "node:crypto"
import WebSocket from "ws"
import {ChangeSet, EditorState, Text} from "@codemirror/state"
import {collab, getSyncedVersion, receiveUpdates, sendableUpdates} from "@codemirror/collab"

const [, , address, seedText, roundsText, pauseText] = process.argv
const EDITORS = 8, ROUNDS = Number(roundsText ?? 80), MOST_PAUSE_MS = Number(pauseText ?? 12)
const PATIENCE_MS = 60000
const FIRST_COUNTED = 0x4e00, COUNTED = /[\u4e00-\u9fff]/, LOW_SURROGATE = /[\udc00-\udfff]/
const codespace = `tmp-${crypto.randomUUID()}`

let state = Number(seedText) >>> 0
const random = () => (state = (state * 1664525 + 1013904223) >>> 0) / 4294967296
const below = n => Math.floor(random() * n)
const pause = ms => new Promise(done => setTimeout(done, ms))

function fail(reason) {
  console.log(reason)
  process.exit(1)
}

let typed = 0

class Editor {
  constructor(name) {
    this.name = name
    this.session = crypto.randomBytes(16).toString("base64url")
    this.seq = 0
    this.inFlight = null
    this.state = null
    this.connect()
  }

  connect() {
    let query = `session=${this.session}&name=${this.name}`
    if (this.state) query += `&epoch=${this.epoch}&version=${getSyncedVersion(this.state)}`
    const socket = (this.socket = new WebSocket(`${address}/codespace/${codespace}/?${query}`, "pyshare.v1"))
    this.welcomed = false
    socket.on("message", data => socket === this.socket && this.receive(JSON.parse(data.toString())))
    socket.on("error", () => {})
    socket.on("close", () => {
      this.welcomed = false
      setTimeout(() => this.connect(), 5 + below(40))
    })
  }

  cut() {
    this.socket.terminate()
  }

  receive(frame) {
    if (frame.type == "welcome") this.resume(frame)
    else if (frame.type == "updates") this.take(frame)
    else if (frame.type == "refused") fail(`${this.name} was refused: ${frame.code} ${frame.reason}`)
    this.push()
  }

  resume(welcome) {
    this.epoch = welcome.epoch
    this.inFlight = null
    this.seq = Math.max(this.seq, welcome.acked)
    if (welcome.updates) this.take(welcome, welcome.id)
    else this.state = EditorState.create({
      doc: Text.of(welcome.text.split("\n")),
      extensions: [collab({startVersion: welcome.version, clientID: welcome.id})],
    })
    this.id = welcome.id
    this.welcomed = true
  }

  take({updates, version}) {
    const received = updates.map(update => ({changes: ChangeSet.fromJSON(update.changes), clientID: update.sender}))
    this.state = receiveUpdates(this.state, received).state
    if (getSyncedVersion(this.state) != version) fail(`${this.name} is at another version than it was told`)
    if (updates.some(update => update.sender == this.id && update.seq == this.inFlight)) this.inFlight = null
  }

  push() {
    if (!this.welcomed || this.inFlight || this.unconfirmed == 0) return
    this.inFlight = ++this.seq
    const updates = sendableUpdates(this.state).map(update => update.changes.toJSON())
    const version = getSyncedVersion(this.state)
    this.socket.send(JSON.stringify({type: "push", seq: this.seq, version, updates}))
  }

  edit() {
    const text = this.text
    let from = below(text.length + 1)
    if (LOW_SURROGATE.test(text[from] ?? "")) from--
    let to = from
    while (random() < 0.3 && to < text.length && to - from < 6 && !COUNTED.test(text[to])) to++
    if (LOW_SURROGATE.test(text[to] ?? "")) to--
    const insert = to > from ? "" : String.fromCharCode(FIRST_COUNTED + typed++) + ["", "\u{1f600}", "x\ny"][below(3)]
    this.state = this.state.update({changes: {from, to, insert}}).state
    this.push()
  }

  get text() { return this.state.doc.toString() }

  get unconfirmed() { return sendableUpdates(this.state).length }

  get atRest() { return this.welcomed && this.unconfirmed == 0 }
}

const editors = Array.from({length: EDITORS}, (_, index) => new Editor(`editor${index}`))

async function until(holds, reason) {
  const deadline = Date.now() + PATIENCE_MS
  while (!holds()) {
    if (Date.now() > deadline) fail(reason)
    await pause(20)
  }
}

await until(() => editors.every(editor => editor.welcomed), "not everybody was welcomed")
for (let round = 0; round < ROUNDS; round++) {
  for (const editor of editors) {
    if (random() < 0.7) editor.edit()
    if (random() < 0.03) editor.cut()
  }
  await pause(below(MOST_PAUSE_MS))
}
const settled = () => editors.every(editor => editor.atRest) && new Set(editors.map(editor => editor.text)).size == 1
await until(settled, `no common text: ${editors.map(editor => `${editor.unconfirmed}/${editor.text.length}`).join(" ")}`)

for (let index = 0; index < typed; index++) {
  const times = editors[0].text.split(String.fromCharCode(FIRST_COUNTED + index)).length - 1
  if (times != 1) fail(`character ${index} of ${typed} stands ${times} times`)
}
process.exit(0)
