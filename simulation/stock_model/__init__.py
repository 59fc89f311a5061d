"""A model of SharePython's stock front end: text, cursors, undo history and frames, without a browser; no I/O.

`FrontEnd` does what the unmodified front end does, as far as its frames show it.
tests/core/test_stock_model_fuzz.py drives it and the real packages (CodeMirror in the
versions of the front end's lock file) with the same scripts and compares both
after every step. Its rules, each with the reason:

Own edits
- One transaction is one `insert_value`: `doc_length` is the length before, the
  changes are in order, changes that touch are one.
- Typing, pasting and deleting happen at all cursors at once; a non-empty
  selection is replaced. The frame has a change for each place.
- A transaction that leaves the text as it was is not sent, for the component
  around the editor compares texts (typing an `a` over a selected `a`).
- A change that inserts more than 32 lines throws in the handler that makes the
  frame: the text has changed, no frame leaves. Undo and redo included.
- In mode `view_only` keys do nothing and nothing is sent. Frames are applied.

Frames of others
- An `insert_value` is applied if `doc_length` is the length of the text. If it is
  not, the frame throws, and text, cursors and history stay.
- In the same transaction the selection becomes one cursor behind each of its
  changes, the first of them the main one. Cursors at one place are one.
- A frame without changes throws, for a selection needs a range.
- The transaction enters the undo history as the user's own does: undo takes back
  the last edit, whoever has made it, and sends that as an own edit.
- A `create_selection` sets the selection; outside of the text, or empty, it throws.

Selections
- `create_selection` has the non-empty ranges, and is sent when the selection has
  changed and such a range is left. It is sent before the `insert_value` of the
  same transaction, but its positions are those after it.
- A received selection is echoed to the others once: the handler asks whether the
  selection before the transaction came from outside, not the one after it. For
  the same reason the first selection after a received one is not sent.

Undo history (as @codemirror/commands has it; `now_ms` is its clock)
- Edits that touch and follow one another within half a second are one step, unless
  the selection was moved between them, or the edit is a paste, Tab, Enter or a
  moved line.
- The text that the page has loaded is the first step: one undo too many deletes all
  of it, for everybody.
- Undo restores the selection before the step; redo sets one cursor.
- Backspace deletes an accent or a skin tone alone, and takes a flag and a joined emoji
  as one; Delete takes all of a character.

Left out: closing brackets and quotes by themselves, completion, folding, search,
indentation by Python's grammar (Enter begins the new line at column 0),
composition by an input method, and the keys that need a layout (arrows).
"""

from simulation.stock_model.front_end import CreateSelection, FrontEnd, InsertValue
from simulation.stock_model.selection import Selection, SelectionRange

__all__ = ["CreateSelection", "FrontEnd", "InsertValue", "Selection", "SelectionRange"]
