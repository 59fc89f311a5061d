"""Two lanes to Redis: one on which commands are answered, one on which topics are heard.

Each has a connection of its own. What becomes of a lost connection is said
here: commands fail, and topics have a gap once they are heard again.
"""

from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

import trio

from pyshare.store.bridge import Line, LineLimits, Reply, Server, Signal, Word
from pyshare.store.interface import StoreUnavailable
from pyshare.store.refusals import Refused


class AskAio(Protocol):
    """How one command is asked on the asyncio side, before others may ask theirs."""

    async def __call__(self, *words: Word) -> Reply:
        """Return the answer, an error of Redis as `Refused`."""


#: The topic that nobody hears. To unsubscribe from it is a question that Redis answers at any time, where topics are
#: heard; it refuses PING while it cannot write to its disk (MISCONF).
_NO_TOPIC: Final = "pyshare:nothing"


@dataclass(frozen=True, slots=True)
class LaneLimits:
    """How much a lane does at once, and how patient it is."""

    line: LineLimits = field(default_factory=LineLimits)
    #: Commands, and about how many bytes of them, that are sent before their answers are read.
    batch_commands: int = 1024
    batch_bytes: int = 4_194_304
    #: Seconds between two questions of the lane that listens, and without a word after which it is given up.
    ping_seconds: float = 2
    silence_seconds: float = 6


@dataclass(slots=True, eq=False)
class _Call:
    """A command that somebody waits for."""

    words: tuple[Word, ...]
    done: trio.Event = field(default_factory=trio.Event)
    reply: Reply = None
    #: Why there is no answer.
    failure: StoreUnavailable | None = None

    @property
    def weight_bytes(self) -> int:
        return sum(len(word) for word in self.words if not isinstance(word, int))

    def fail(self, error: StoreUnavailable) -> None:
        self.failure = error
        self.done.set()


@dataclass(frozen=True, slots=True)
class CommandStatistics:
    """What a command lane has done since it was made."""

    commands: int
    #: Writes, each of which had one or more commands.
    batches: int
    #: Commands that the server refused, by the code of its answer.
    refused: Mapping[str, int] = field(default_factory=dict)


class CommandLane:
    """The lane on which commands are answered.

    Commands that are asked for while others are under way go out together
    afterwards, so that one round trip serves many under load, and each has its
    own without. They take effect in the order in which they were asked for.
    """

    def __init__(
        self,
        server: Server,
        greet_aio: Callable[[AskAio], Awaitable[None]],
        on_up: Callable[[], None],
        on_lost: Callable[[str], None],
        *,
        limits: LaneLimits,
    ) -> None:
        """Make a lane on which `greet_aio` asks what it has to on each new connection, before everybody else.

        `on_up` is called whenever everybody else may, and `on_lost`, with the reason, when they no longer may; they
        must not wait.
        """
        self._greet_aio = greet_aio
        self._on_up = on_up
        self._tell_lost = on_lost
        # Whether everybody may ask.
        self._up = False
        self._limits = limits
        self._line = Line(server, self._serve_aio, self._on_lost, name="commands", limits=limits.line)
        # What waits to be sent, and what was sent and is not answered, in order.
        self._waiting: deque[_Call] = deque()
        self._sent: deque[_Call] = deque()
        # Wakes the asyncio side, while there is a connection.
        self._work: Signal | None = None
        # What was done so far.
        self._commands = 0
        self._batches = 0
        self._refused: Counter[str] = Counter()

    def statistics(self) -> CommandStatistics:
        """Return what was done so far."""
        return CommandStatistics(self._commands, self._batches, dict(self._refused))

    async def run(  # noqa: ASYNC128 - the line does
        self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve until cancelled; `started` once commands are answered. See `Line.run`."""
        await self._line.run(task_status=task_status)

    async def call(self, *words: Word) -> Reply:
        """Have one command done and return the answer, an error of Redis as `Refused`.

        Cancelled, the command is done all the same, or not.

        Raises:
            StoreUnavailable: there is no connection, or it broke before the answer came.
        """
        call = _Call(words)
        if self._line.down is None:
            self._waiting.append(call)
            if self._work:
                self._work.set()
        else:
            call.fail(self._line.down)
        await call.done.wait()
        if call.failure is not None:
            # Each has an exception of its own: several wait for one answer to fail.
            raise StoreUnavailable(str(call.failure), public=call.failure.public)
        return call.reply

    def probe_nowait(self) -> None:
        """Have it noticed soon if the connection is lost: nobody reads from one on which nothing was asked."""
        if self._line.down is None:
            self._waiting.append(_Call(("PING",)))
            if self._work:
                self._work.set()

    async def _serve_aio(self) -> None:
        line = self._line
        self._work = Signal()
        await self._greet_aio(line.ask_aio)
        line.up()
        self._up = True
        self._on_up()
        while True:
            while not self._waiting:
                line.expect_nothing()
                await self._work.wait_aio()
            weight = self._take_batch()
            line.expect_answer(weight)
            await line.send_aio([call.words for call in self._sent])
            while self._sent:
                reply = await line.receive_aio()
                call = self._sent.popleft()
                if isinstance(reply, Refused) and not reply.unknown_script:
                    self._refused[reply.code] += 1
                call.reply = reply
                call.done.set()
                line.expect()

    def _take_batch(self) -> int:
        """Have what waits sent, up to the limits; return about how many bytes that is."""
        weight = 0
        while self._waiting and len(self._sent) < self._limits.batch_commands and weight < self._limits.batch_bytes:
            call = self._waiting.popleft()
            weight += call.weight_bytes
            self._sent.append(call)
        self._commands += len(self._sent)
        self._batches += 1
        return weight

    def _on_lost(self, error: StoreUnavailable) -> None:
        self._work = None
        calls = [*self._sent, *self._waiting]
        self._sent.clear()
        self._waiting.clear()
        for call in calls:
            call.fail(error)
        if self._up:
            self._up = False
            self._tell_lost(str(error))


@dataclass(slots=True, eq=False)
class _Topic:
    """A topic that somebody wants to hear."""

    #: Whether the server has confirmed the subscription.
    confirmed: bool = False
    #: Set when it has, or when the connection is lost first.
    answered: trio.Event = field(default_factory=trio.Event)
    #: Whether it had been confirmed on an earlier connection.
    heard_before: bool = False


class TopicLane:
    """The lane on which topics are heard.

    `hear` is called with the topic and each message, in the order in which
    they were published; `on_lost` when the connection is lost, and after each
    vain try to have another; `on_gap` with each topic that is heard again then:
    messages may have been missed before, and none are from then on. All are
    plain functions that must not wait.
    """

    def __init__(
        self,
        server: Server,
        hear: Callable[[str, bytes], None],
        on_lost: Callable[[], None],
        on_gap: Callable[[str], None],
        *,
        always: Iterable[str],
        limits: LaneLimits,
    ) -> None:
        """Make a lane that hears the topics `always`, one or more, and those that are subscribed to."""
        self._hear = hear
        self._tell_lost = on_lost
        self._on_gap = on_gap
        self._limits = limits
        self._line = Line(server, self._serve_aio, self._on_lost, name="topics", limits=limits.line)
        # The topics that somebody wants.
        self._topics: dict[str, _Topic] = {topic: _Topic() for topic in always}
        # Subscriptions that were sent on this connection and not confirmed yet.
        self._unconfirmed: Counter[str] = Counter()
        # Questions that wait for their answer, by the topic that they name, and the number of the last.
        self._questions: dict[bytes, trio.Event] = {}
        self._last_question = 0
        # Commands that wait to be sent, and set when there are any.
        self._commands: list[tuple[Word, ...]] = []
        self._work = trio.Event()

    async def run(  # noqa: ASYNC128 - the line does
        self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve until cancelled; `started` once topics are heard. See `Line.run`."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._send, name="topics, sender")
            nursery.start_soon(self._ask_for_signs, name="topics, signs of life")
            await self._line.run(task_status=task_status)

    async def subscribe(self, topic: str) -> None:
        """Have `topic` heard; return when everything that is published from now on will be.

        Raises:
            StoreUnavailable: there is no connection, or no answer; `unsubscribe_nowait` all the same.
        """
        wanted = self._topics.get(topic)
        if wanted is None:
            wanted = self._topics[topic] = _Topic()
            self._ask("SUBSCRIBE", topic)
        self._line.check()
        if not wanted.confirmed:
            with trio.move_on_after(self._limits.line.answer_seconds):
                await wanted.answered.wait()
        self._line.check()
        if not wanted.confirmed:
            raise StoreUnavailable("Redis does not confirm a subscription")

    def unsubscribe_nowait(self, topic: str) -> None:
        """Have `topic` heard no more."""
        if self._topics.pop(topic, None):
            self._ask("UNSUBSCRIBE", topic)

    async def catch_up(self) -> None:
        """Return when everything has been heard that was published until now.

        Raises:
            StoreUnavailable: there is no connection, or it was lost meanwhile.
        """
        self._line.check()
        self._last_question += 1
        topic = f"{_NO_TOPIC}{self._last_question}"
        answered = self._questions[topic.encode()] = trio.Event()
        self._ask("UNSUBSCRIBE", topic)
        try:
            with trio.move_on_after(self._limits.line.answer_seconds):
                await answered.wait()
            if self._questions.get(topic.encode()) is answered:
                raise StoreUnavailable("Redis does not answer where topics are heard")
        finally:
            self._questions.pop(topic.encode(), None)

    def check(self) -> None:
        """Raise why topics are not heard, if they are not.

        Raises:
            StoreUnavailable: with the reason for which there is no connection.
        """
        self._line.check()

    def drop(self, reason: str) -> None:
        """End the present connection, since another may lead elsewhere; topics then have a gap."""
        self._line.drop(reason)

    def _ask(self, *words: str) -> None:
        if self._line.down is None:
            if words[0] == "SUBSCRIBE":
                self._unconfirmed.update(words[1:])
            self._commands.append(words)
            self._work.set()

    async def _serve_aio(self) -> None:
        line = self._line
        topics = list(self._topics)
        self._unconfirmed = Counter(topics)
        await line.send_aio([("SUBSCRIBE", *topics)])
        while True:
            match await line.receive_aio():
                case [b"message", bytes(topic), bytes(data)]:
                    self._hear(topic.decode(), data)
                case [b"subscribe", bytes(topic), _]:
                    if line.down is not None:
                        # All of them are permitted if one is.
                        line.up()
                    self._on_subscribed(topic.decode())
                case [b"unsubscribe", bytes(topic), _] if topic in self._questions:
                    self._questions.pop(topic).set()
                case Refused() as refused:
                    raise refused.error()
                case _:
                    # Answers to other questions, and to what is no longer wanted.
                    pass
            line.expect(self._limits.silence_seconds)

    def _on_subscribed(self, topic: str) -> None:
        self._unconfirmed[topic] -= 1
        if self._unconfirmed[topic] > 0:
            # That of an earlier subscription, which was given up since; between the two, nothing is heard.
            return
        del self._unconfirmed[topic]
        wanted = self._topics.get(topic)
        if wanted is None or wanted.confirmed:
            return
        wanted.confirmed = True
        wanted.answered.set()
        if wanted.heard_before:
            self._on_gap(topic)
        wanted.heard_before = True

    def _on_lost(self, error: StoreUnavailable) -> None:
        self._commands.clear()
        for wanted in self._topics.values():
            wanted.answered.set()
            wanted.confirmed, wanted.answered = False, trio.Event()
        for answered in self._questions.values():
            answered.set()
        self._tell_lost()

    async def _send(self) -> None:
        while True:
            await self._work.wait()
            self._work = trio.Event()
            commands, self._commands = self._commands, []
            if commands:
                await self._line.send(commands)

    async def _ask_for_signs(self) -> None:
        while True:
            await trio.sleep(self._limits.ping_seconds)
            self._ask("UNSUBSCRIBE", _NO_TOPIC)
