"""The store of a world, whatever it is: what happens to it, what judges see of it, and the access of each process."""

from contextlib import AbstractContextManager
from random import Random
from typing import Protocol

import trio

from pyshare.store.interface import Standing, Store


class Access(Protocol):
    """What is between one process and the store."""

    @property
    def store(self) -> Store:
        """The store, as the process has it."""

    #: Whether the process was killed.
    dead: bool
    #: Chances that an answer is lost, and that it comes late, behind what it is about.
    lost_answers: float
    late_answers: float

    def die(self) -> None:
        """Have nothing done any more: the process is killed."""

    def cut_off(self) -> None:
        """Let the store be out of reach, for calls and for events."""

    def heal(self) -> None:
        """Let the store be reached, and answer at once."""

    def answer(self) -> None:
        """Let every answer come at once."""

    def go_deaf(self) -> None:
        """Let events be lost from now on."""

    def hear_again(self) -> None:
        """Let events be heard, beginning with the news that some were missed."""


class Storage(Protocol):
    """A store that processes share, from outside."""

    #: Ids of clients that may only look, and those of them for whom something was committed.
    lookers: set[str]
    broken_by: set[str]

    def linked(self) -> AbstractContextManager[None]:
        """Have processes reach it, in the context."""

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled."""

    def access(self, process: str, random: Random) -> Access:
        """Return the access of a new process."""

    def standing(self, codespace: str) -> Standing | None:
        """Return epoch and version of what is stored now."""

    def text(self, codespace: str) -> str:
        """Return the text that is stored now; empty if there is none."""

    def subscriptions(self, codespace: str) -> int:
        """Return the number of subscriptions."""

    def copy(self) -> object:
        """Return a copy of all that is kept."""

    def keep_states(self, count: int) -> None:
        """Keep the states behind the last `count` writes from now on, as replicas have them that are behind."""

    def replica(self, missing: int) -> object | None:
        """Return the state of a replica that misses the newest writes, `missing` at most; None if none is known.

        A replica has no earlier life of a codespace than the last one: what expired or was deleted before is forgotten.
        """

    def lose(self, saved: object) -> None:
        """Keep what was copied, or nothing if that is None, as a server that starts again with an old file."""

    def expire_now(self, codespace: str) -> bool:
        """Let the codespace expire; return False if there is none."""

    def delete_now(self, codespace: str) -> None:
        """Delete the codespace, as the API does."""

    def gap(self, codespace: str) -> None:
        """Let all hear that they may have missed something."""
