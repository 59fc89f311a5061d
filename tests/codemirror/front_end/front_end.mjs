// SharePython's stock front end without a browser: the editor packages of its lock file, and its handlers round them.
//
// The rules are those of simulation/stock_model/__init__.py; here CodeMirror keeps text, cursors and history. `send` is
// given each frame, a plain object. What needs a browser's layout or keyboard (arrows, composition) is left out.

import {history, undo, redo, indentMore, indentLess, toggleComment, moveLineUp, moveLineDown, selectAll, simplifySelection,
        cursorDocStart, cursorDocEnd, deleteCharBackward, deleteCharForward, insertNewlineAndIndent} from "@codemirror/commands"
import {indentUnit} from "@codemirror/language"
import {ChangeSet, EditorSelection, EditorState, Transaction} from "@codemirror/state"

const EXTENSIONS = [
  history(),
  EditorState.allowMultipleSelections.of(true),
  EditorState.tabSize.of(2),
  indentUnit.of("  "),
  EditorState.languageData.of(() => [{commentTokens: {line: "#"}}]),
]
const COMMANDS = {
  undo, redo, indent: indentMore, dedent: indentLess, comment: toggleComment, up: moveLineUp, down: moveLineDown,
  selectAll, escape: simplifySelection, start: cursorDocStart, end: cursorDocEnd, backspace: deleteCharBackward,
  delete: deleteCharForward, enter: insertNewlineAndIndent,
}

export class FrontEnd {
  constructor(text, {viewOnly = false, send}) {
    this.id = null
    this.send = send
    this.viewOnly = viewOnly
    // Frames of others that threw, and own edits that could not be sent.
    this.dropped = 0
    this.unsent = 0
    this.state = EditorState.create({doc: text, extensions: [EXTENSIONS, EditorState.readOnly.of(viewOnly)]})
    // The objects that frames of others were made into: the front end marks them, and asks for the mark.
    this.foreign = new WeakSet()
  }

  get text() { return this.state.doc.toString() }

  // Keys

  press(name) {
    COMMANDS[name]({state: this.state, dispatch: transaction => this.dispatch(transaction)})
  }

  // Types at all cursors, as the view does with what the browser has inserted.
  type(text) {
    if (!this.viewOnly) this.dispatch(this.state.replaceSelection(this.state.toText(text)), {userEvent: "input.type"})
  }

  // Pastes as the view does: a line to each cursor if there are as many lines as cursors.
  paste(text) {
    if (this.viewOnly) return
    const pasted = this.state.toText(text)
    let line = 1
    const changes = pasted.lines != this.state.selection.ranges.length ? this.state.replaceSelection(pasted)
      : this.state.changeByRange(range => {
          const insert = pasted.line(line++).text
          return {changes: {from: range.from, to: range.to, insert}, range: EditorSelection.cursor(range.from + insert.length)}
        })
    this.dispatch(changes, {userEvent: "input.paste"})
  }

  // Selects pairs of anchor and head with the mouse; one empty pair is a click.
  select(ranges, main = 0) {
    const selection = EditorSelection.create(ranges.map(([anchor, head]) => EditorSelection.range(anchor, head)), main)
    this.dispatch({selection, userEvent: "select.pointer"})
  }

  // Takes the text that the page has loaded, before there is a connection.
  load(text) {
    const {send} = this
    this.send = () => {}
    this.dispatch({changes: {from: 0, to: this.state.doc.length, insert: text}})
    Object.assign(this, {send, unsent: 0})
  }

  // Frames

  receive(frame) {
    try {
      if (frame.operation == "connected") this.id = frame.data.id
      else if (frame.sender == this.id) return
      else if (frame.operation == "insert_value") this.insert(frame)
      else if (frame.operation == "create_selection") this.selectAs(frame)
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      this.dropped++
    }
  }

  insert({changes, doc_length}) {
    let grown = 0
    const cursors = []
    for (const {from, to, insert} of changes) {
      cursors.push(EditorSelection.cursor(from + grown + insert.length))
      grown += insert.length - (to - from)
    }
    const set = ChangeSet.of(changes, doc_length)
    this.foreign.add(set)
    this.dispatch({changes: set, selection: EditorSelection.create(cursors)})
  }

  selectAs({selections}) {
    const selection = EditorSelection.create(selections.map(({anchor, head}) => EditorSelection.range(anchor, head)))
    this.foreign.add(selection)
    this.dispatch({selection})
  }

  // Applies a transaction as the view does, and has the handlers see it.
  dispatch(...specs) {
    const transaction = specs[0] instanceof Transaction ? specs[0] : this.state.update(...specs)
    const before = this.state
    this.state = transaction.state
    if (this.viewOnly) return
    this.selected(before)
    if (!transaction.changes.empty && this.text != before.doc.toString() && !this.foreign.has(transaction.changes))
      this.changed(before, transaction.changes)
  }

  selected(before) {
    if (this.foreign.has(before.selection) || this.state.selection.eq(before.selection)) return
    const selections = this.state.selection.ranges.filter(range => !range.empty).map(({anchor, head}) => ({anchor, head}))
    if (selections.length) this.send({operation: "create_selection", sender: this.id, selections})
  }

  changed(before, set) {
    const changes = []
    try {
      // Only a text of few lines has them in a field of their own, which is what the front end reads.
      set.iterChanges((from, to, _from, _to, inserted) => changes.push({from, to, insert: inserted.text.join("\n")}))
    } catch (error) {
      if (!(error instanceof TypeError)) throw error
      this.unsent++
      return
    }
    this.send({operation: "insert_value", sender: this.id, doc_length: before.doc.length, changes})
  }
}
