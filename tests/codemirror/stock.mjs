// Stock front ends made of their own packages, each with a WebSocket of no subprotocol to a running server.
//
//   node stock.mjs WS_ADDRESS[,WS_ADDRESS...] HTTP_ADDRESS
//     [--scene NAME,...] [--runs N] [--seed N] [--keys A_SECOND] [--lag MS] [--record FILE]
//
// Plays scenes of stock_scenes.mjs (all, unless some are named), each in a codespace of its own. The people of a scene
// are spread over the WebSocket addresses; each frame takes up to MS milliseconds, in order. A scene is right if nobody
// is closed, all texts come to be what the server has committed, and they have what was typed: each character so often
// as the scene says, and nothing else but the text before. Tells each scene on a line of its own; exits 1 if one was
// wrong, and writes the frames of those to FILE, one on a line.

import crypto from "node:crypto"
import fs from "node:fs"
import WebSocket from "ws"
import {FrontEnd} from "./front_end/front_end.mjs"
import {SCENES} from "./stock_scenes.mjs"

const PATIENCE_MS = 60000
// A scene is at rest after so long without a frame. Pyshare heals an editor in doubt later, and the texts wait for that.
const REST_MS = 800
const LONGEST_RECORDED = 60

const pause = ms => new Promise(done => setTimeout(done, ms))

class Wrong extends Error {}

// A person at a front end, with a socket.
class Person {
  constructor(name, text, address, scene) {
    this.name = name
    this.scene = scene
    this.several = 0
    // Frames on their way, oldest first.
    this.on = {server: [], editor: []}
    this.socket = new WebSocket(address)
    this.frontEnd = new FrontEnd("", {send: frame => this.send(frame)})
    this.frontEnd.load(text)
    this.socket.on("message", data => this.later("editor", () => this.receive(JSON.parse(data.toString()))))
    this.socket.on("error", error => scene.end(`${name}: ${error}`))
    this.socket.on("close", (code, reason) => scene.over || scene.end(`${name} was closed: ${code} ${reason}`))
  }

  get text() { return this.frontEnd.text }
  get single() { return this.frontEnd.state.selection.ranges.length == 1 }

  type(text) { this.frontEnd.type(text) }
  paste(text) { this.frontEnd.paste(text) }
  press(key) { this.frontEnd.press(key) }

  // Clicks at a part of the text, but not between the halves of a character.
  clicks(part = this.scene.random()) {
    let at = Math.round(part * this.frontEnd.state.doc.length)
    if (/[\udc00-\udfff]/.test(this.frontEnd.state.sliceDoc(at, at + 1))) at--
    this.frontEnd.select([[at, at]])
  }

  // Pauses as people do, not evenly; no key follows when the scene has ended.
  async pauses(ms) {
    await pause(ms * (0.5 + this.scene.random()))
    if (this.scene.failed) throw new Wrong(this.scene.failed)
  }

  // Acts after the lag of a network and a busy page; what comes later is acted on later.
  later(side, act) {
    const queue = this.on[side], last = queue.at(-1)
    queue.push({at: Math.max(last ? last.at : 0, Date.now() + this.scene.random() * this.scene.lag), act})
    if (queue.length == 1) this.drain(queue)
  }

  async drain(queue) {
    while (queue.length) {
      await pause(queue[0].at - Date.now())
      queue[0].act()
      queue.shift()
    }
  }

  send(frame) {
    this.scene.note(this.name, "sends", frame, this)
    this.later("server", () => this.socket.send(JSON.stringify(frame)))
  }

  receive(frame) {
    const {dropped} = this.frontEnd
    if (frame.operation == "insert_value" && frame.changes.length != 1) this.several++
    this.frontEnd.receive(frame)
    this.scene.note(this.name, this.frontEnd.dropped > dropped ? "drops" : "takes", frame, this)
  }
}

class Scene {
  constructor(name, seed, {keys, lag}) {
    this.lag = lag
    this.state = seed >>> 0
    this.random = () => (this.state = (this.state * 1664525 + 1013904223) >>> 0) / 4294967296
    this.name = name
    this.told = SCENES[name]({keys})
    this.codespace = `tmp-${crypto.randomUUID()}`
    this.failed = null
    this.over = false
    this.frames = []
    this.changedAt = 0
    this.people = []
  }

  end(reason) { this.failed ??= reason }

  note(who, what, {operation, sender, doc_length, changes, selections, data}, person) {
    this.changedAt = Date.now()
    const short = changes?.map(({from, to, insert}) =>
      [from, to, insert.length > LONGEST_RECORDED ? `${insert.slice(0, LONGEST_RECORDED)}... ${insert.length}` : insert])
    const cursors = person.frontEnd.state.selection.ranges.map(({anchor, head}) => [anchor, head])
    const length = person.frontEnd.state.doc.length
    this.frames.push({ms: Date.now() - this.begun, who, what, operation, sender, doc_length, changes: short, selections, data, cursors, length})
  }

  async play(addresses, http) {
    this.begun = Date.now()
    try {
      const {people, text = "", act} = this.told
      if (text) await this.load(text, addresses[0], http)
      this.people = Array.from({length: people}, (_, index) =>
        new Person("abcd"[index], text, `${addresses[index % addresses.length]}/codespace/${this.codespace}/`, this))
      await this.until(() => this.people.every(person => person.frontEnd.id), () => "not everybody is connected")
      await act(this.people, () => this.rests(), this.random)
      await this.rests()
      await this.judge(http)
    } catch (error) {
      if (!(error instanceof Wrong)) throw error
      this.end(error.message)
    }
    this.over = true
    for (const {socket} of this.people) socket.close(1000, "unmounted")
  }

  // Puts a text into the codespace, as a front end that can send any number of lines would.
  async load(text, address, http) {
    const socket = new WebSocket(`${address}/codespace/${this.codespace}/`)
    const opened = await new Promise(done => socket.once("open", () => done(true)).once("error", () => done(false)))
    if (!opened) throw new Wrong("the text cannot be loaded: no connection")
    const changes = [{from: 0, to: 0, insert: text}]
    socket.send(JSON.stringify({operation: "insert_value", sender: "loads", doc_length: 0, changes}))
    const deadline = Date.now() + PATIENCE_MS
    while (await this.stored(http) != text) {
      if (this.failed || Date.now() > deadline) throw new Wrong(this.failed ?? "the text cannot be loaded")
      await pause(50)
    }
    socket.close(1000, "unmounted")
  }

  async stored(http) {
    const answer = await fetch(`${http}/codespaces/${this.codespace}/text`)
    return answer.ok ? await answer.text() : `${answer.status}: ${await answer.text()}`
  }

  async until(holds, reason) {
    const deadline = Date.now() + PATIENCE_MS
    while (!await holds()) {
      if (this.failed) throw new Wrong(this.failed)
      if (Date.now() > deadline) throw new Wrong(reason())
      await pause(20)
    }
  }

  rests() { return this.until(() => Date.now() - this.changedAt > REST_MS, () => "frames go on and on") }

  async judge(http) {
    let stored
    await this.until(async () => {
      stored = await this.stored(http)
      return this.people.every(person => person.text == stored)
    }, () => `the texts differ, ${this.people.map(person => person.text.length)} units, ${stored.length} stored: ${this.counts()}`)
    const text = stored
    if (/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.test(text)) throw new Wrong("half a character")
    const {exact = {}, atMost = {}, rest} = this.told
    for (const [character, count] of Object.entries(exact))
      if (this.count(text, character) != count) throw new Wrong(`not exact: ${this.counts()}`)
    for (const [character, count] of Object.entries(atMost))
      if (this.count(text, character) > count) throw new Wrong(`more than was typed: ${this.counts()}`)
    const remaining = Object.keys(exact).reduce((left, character) => left.replaceAll(character, ""), text)
    if (rest !== undefined && remaining != rest) throw new Wrong(`the text before is not what it was: ${remaining.length} units, ${rest.length} expected`)
  }

  count(text, character) { return text.split(character).length - 1 }

  counts() {
    const expected = {...this.told.exact, ...this.told.atMost}
    const one = text => Object.keys(expected).map(character => `${JSON.stringify(character)} ${this.count(text, character)}`).join(" ")
    return this.people.map(person => `${person.name}: ${one(person.text)}`).join(", ")
      + `; typed ${JSON.stringify(expected)}`
  }

  get summary() {
    const drops = this.people.map(person => person.frontEnd.dropped).join("/")
    const several = this.people.map(person => person.several).join("/")
    return `${this.name}: ${this.failed ?? "exact"} (${this.frames.length} frames, dropped ${drops}, with several changes ${several})`
  }
}

const [addresses, http, ...flags] = process.argv.slice(2)
const option = (name, otherwise) => flags.includes(`--${name}`) ? flags[flags.indexOf(`--${name}`) + 1] : otherwise
const names = option("scene", Object.keys(SCENES).join(",")).split(",")
const seed = Number(option("seed", Math.floor(Math.random() * 1e6))), runs = Number(option("runs", 1))
const record = option("record"), pace = {keys: Number(option("keys", 40)), lag: Number(option("lag", 40))}
console.log(`--seed ${seed}`)
let wrong = 0
for (let run = 0; run < runs; run++) {
  for (const name of names) {
    const scene = new Scene(name, seed + run, pace)
    await scene.play(addresses.split(","), http)
    console.log(scene.summary)
    if (!scene.failed) continue
    wrong++
    if (record) fs.appendFileSync(record, scene.frames.map(frame => `${JSON.stringify({scene: name, run, ...frame})}\n`).join(""))
  }
}
process.exit(wrong ? 1 : 0)
