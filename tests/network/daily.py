"""Daily work on a bad network: open a long text, type, paste, undo, leave, return.

The work is the same for each kind of editor and each network. Beside it somebody types
whose network is calm. In the end the text is known to the letter: the calm person types
at the start, the other one at the end.
"""

from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import trio

from pyshare.client import Codespace
from tests.network.passages import Network
from tests.network.presets import Preset

#: Units of the text that is opened, and of the text that is pasted: each takes longer than any deadline on slow 3G.
LONG: Final = "\u6f22\u5b57\u304b\u306a\u4ea4\u3058\u308a\u6587\u3002\n"
LONG_TIMES: Final = 26_000
PASTED: Final = "\u30da\u30fc\u30b9\u30c8 "
PASTED_TIMES: Final = 26_000
UNDONE: Final = "a slip of the hand\n"
UNDONE_TIMES: Final = 5000
#: Letters of which each is typed once, by the person with the bad network and by the calm one.
_LETTERS: Final = range(0x1200, 0x1380)
_CALM_LETTERS: Final = range(0x1400, 0x1680)
#: Keys in a row, and seconds between two.
_KEYS: Final = 30
_KEY_SECONDS: Final = 0.15
#: Seconds between two keys of the calm person.
_CALM_SECONDS: Final = 0.9


class Editor(Protocol):
    """An editor of one kind, with a bad network."""

    @property
    def text(self) -> str:
        """The text on its screen."""

    async def opens(self) -> None:
        """Open the codespace; return when it can be typed into."""

    async def leaves(self) -> None:
        """Close the editor; what is unsaved is sent before, or when it is opened again."""

    def inserts(self, text: str) -> None:
        """Type or paste a text at the end."""

    def undoes(self) -> None:
        """Take back the last edit."""

    async def until_saved(self) -> None:
        """Wait until the editor says that everything is saved."""

    async def until_text(self, length: int) -> None:
        """Wait until the text on the screen has so many UTF-16 units."""


class Size:
    """Sizes of the texts of a day, as a part of the full ones."""

    def __init__(self, part: float = 1.0) -> None:
        self.text = LONG * int(part * LONG_TIMES)
        self.pasted = PASTED * int(part * PASTED_TIMES)
        self.undone = UNDONE * int(part * UNDONE_TIMES)


async def _types(editor: Editor, letters: str) -> None:
    for letter in letters:
        editor.inserts(letter)
        await trio.sleep(_KEY_SECONDS)


async def _types_calmly(calm: Codespace, typed: list[str]) -> None:
    """Type at the start until cancelled."""
    for code in _CALM_LETTERS:
        calm.insert(sum(map(len, typed)), chr(code))
        typed.append(chr(code))
        await trio.sleep(_CALM_SECONDS)
    await trio.sleep_forever()


async def work_a_day(
    editor: Editor, calm: Codespace, rest: Callable[[], Awaitable[None]], size: Size | None = None
) -> None:
    """Do the daily work on an empty codespace, and demand that nothing is lost or doubled.

    `rest` is called where the machine might sleep.
    """
    size = size or Size()
    letters = iter(map(chr, _LETTERS))
    rows = ["".join(next(letters) for _ in range(_KEYS)) for _ in range(6)]
    calm.insert(0, size.text)
    await calm.wait_confirmed()
    typed: list[str] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_types_calmly, calm, typed)
        await editor.opens()
        await _types(editor, rows[0])
        editor.inserts(size.pasted)
        await _types(editor, rows[1])
        await rest()
        await _types(editor, rows[2])
        editor.inserts(size.undone)
        await trio.sleep(1)
        editor.undoes()
        await _types(editor, rows[3])
        # In the middle of a word, with the last keys unsaved.
        await editor.leaves()
        await trio.sleep(3)
        await editor.opens()
        await _types(editor, rows[4])
        await rest()
        await editor.until_saved()
        await _types(editor, rows[5])
        await editor.until_saved()
        nursery.cancel_scope.cancel()
    await calm.wait_confirmed()
    expected = f"{''.join(typed)}{size.text}{''.join(rows[:1])}{size.pasted}{''.join(rows[1:])}"
    await calm.wait_text(expected)
    await editor.until_text(len(expected))
    assert editor.text == expected


def sleeper(
    network: Network, preset: Preset, sleeps: Callable[[float], Awaitable[None]]
) -> Callable[[], Awaitable[None]]:
    """Return what happens at a rest: a silence and a sleep on networks that have it, and nothing on others."""

    async def rest() -> None:
        if preset.sleeps:
            # Whatever was between the two forgets the connections that are open.
            network.fall_silent()
            await sleeps(preset.silent_seconds)

    return rest
