"""Metrics for an operator's Prometheus, pulled from the statistics of the server's parts.

No label has a codespace, a client or a token in it: there are any number of
those. With several worker processes each tells its own at a socket of its own,
and whichever is asked answers for all (`Siblings`), with a label that says
whose each figure is.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path

import httpx
import trio
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from typing_extensions import override

from pyshare.actors.supervisor import SupervisorStatistics
from pyshare.core.measures import Histogram
from pyshare.core.protocol import SUBPROTOCOL
from pyshare.net.creations import CreationStatistics
from pyshare.net.listener import ListenerStatistics
from pyshare.store.lanes import CommandStatistics

logger = logging.getLogger(__name__)

PATH = "/metrics"
#: Seconds in which other workers must have answered.
_SIBLING_SECONDS = 1.0
#: How the workers ask one another.
_TEXT = "text/plain"


@dataclass(frozen=True, slots=True)
class Reading:
    """A server at one moment."""

    version: str
    instance: str
    draining: bool
    #: Whether the store answers.
    storage_up: bool
    connections: ListenerStatistics
    #: The most there may be.
    connections_limit: int
    #: Connections that have ended, by what they were closed with.
    closes: Mapping[str, int]
    #: Answers to requests of HTTP, by status.
    answers: Mapping[int, int]
    actors: SupervisorStatistics
    creations: CreationStatistics
    #: What was asked of Redis; None with another store.
    commands: CommandStatistics | None
    #: Tasks of this process that live.
    tasks: int


class _Readings(Collector):
    """One reading, as prometheus_client wants it."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    @override
    def collect(self) -> Iterable[Metric]:
        return self._families


def families(reading: Reading) -> Iterator[Metric]:
    """Return the figures of one reading."""
    yield InfoMetricFamily(
        "pyshare", "Which pyshare this is.", {"version": reading.version, "instance_id": reading.instance}
    )
    yield _gauge("draining", "Whether the server stops.", reading.draining)
    channels = reading.actors.channels.values()
    stored = reading.storage_up and all(each.storage == "ok" for each in channels)
    yield _gauge("storage_up", "Whether edits are being committed.", stored)

    yield _gauge("tasks", "Tasks of this server that run or wait.", reading.tasks)

    connections = reading.connections
    yield _gauge("connections", "Connections that are open.", connections.open)
    yield _gauge("connections_limit", "Connections that may be open.", reading.connections_limit)
    yield _counter("connections_accepted", "Connections that were accepted.", connections.accepted)
    yield _counter("connections_refused", "Connections that were one too many.", connections.refused)
    crowded = "Connections of an address that had all it may have."
    yield _counter("connections_crowded", crowded, connections.crowded)
    yield _counter("connections_failed", "Connections that failed for a reason nobody foresaw.", connections.failed)
    yield _counters("closes", "Connections that have ended, by what they were closed with.", "code", reading.closes)

    answers = {str(status): many for status, many in reading.answers.items()}
    yield _counters("http_answers", "Answers to HTTP requests, by status; not those of metrics.", "status", answers)

    yield _gauge("codespaces", "Codespaces that are open.", len(channels))
    yield _counter("creations", "Codespaces that were made for clients.", reading.creations.made)
    refused = {"address": reading.creations.refused_to_address, "all": reading.creations.refused_to_all}
    yield _counters("creations_refused", "Codespaces that were too many in a minute.", "limit", refused)
    clients = GaugeMetricFamily("pyshare_clients", "Clients in codespaces.", labels=["dialect"])
    stock = sum(each.stock for each in channels)
    clients.add_metric([SUBPROTOCOL], sum(each.members for each in channels) - stock)
    clients.add_metric(["sharepython"], stock)
    yield clients
    yield _gauge("lagging_clients", "Clients that read more slowly than is written.", sum(e.lagging for e in channels))
    yield _gauge("backlog_bytes", "Frames that are kept for them.", sum(each.backlog_bytes for each in channels))
    yield _gauge("pending_pushes", "Pushes that wait to be committed.", sum(each.pending for each in channels))
    yield _counter("channels_failed", "Codespaces that failed on this server.", reading.actors.failed)

    counts = reading.actors.counts
    yield _counter("updates", "Change sets that this server has committed.", counts.updates)
    yield _counter("pushes", "Pushes that this server has committed.", counts.pushes)
    yield _counters("pushes_refused", "Pushes that were refused, by why.", "code", counts.refused)
    yield _counter("frames_sent", "Committed pushes that were written to clients, counted for each.", counts.frames)
    yield _counter("conflicts", "Appends that another server had come before.", counts.conflicts)
    yield _counters("resyncs", "How often something was brought up from behind, by why.", "reason", counts.resyncs)
    yield _counter("put_backs", "How often the store was given back what it had lost.", counts.put_backs)
    yield _histogram("commit_seconds", "From a push's arrival to its being committed.", counts.commit_seconds)
    yield _histogram("fanout_seconds", "From that to its being written to all clients here.", counts.fanout_seconds)
    yield _histogram("group_pushes", "Pushes that were committed in one append.", counts.group_pushes)

    if reading.commands is not None:
        yield _counter("store_commands", "Commands to Redis.", reading.commands.commands)
        yield _counter("store_round_trips", "Round trips to Redis that they took.", reading.commands.batches)
        refusals = "Commands that Redis refused, by the code of its answer."
        yield _counters("store_refusals", refusals, "code", reading.commands.refused)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"pyshare_{name}", text, value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"pyshare_{name}", text, value)


def _counters(name: str, text: str, label: str, values: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(f"pyshare_{name}", text, labels=[label])
    for key, value in sorted(values.items()):
        family.add_metric([key], value)
    return family


def _histogram(name: str, text: str, values: Histogram) -> Metric:
    buckets = [("+Inf" if bound == float("inf") else f"{bound:g}", float(many)) for bound, many in values.cumulative()]
    return HistogramMetricFamily(f"pyshare_{name}", text, buckets, values.sum)


class Metrics:
    """The endpoint of one process; `read` is asked for a reading each time."""

    def __init__(self, read: Callable[[], Awaitable[Reading]], siblings: "Siblings | None" = None) -> None:
        self._read = read
        self._siblings = siblings

    @property
    def routes(self) -> list[Route]:
        """Where the figures are found: with several workers, those of all."""
        return [Route(PATH, self._of_all if self._siblings else self._own, methods=["GET"])]

    @property
    def own_routes(self) -> list[Route]:
        """Where this worker's are found by the others."""
        return [Route(PATH, self._own, methods=["GET"])]

    async def _own(self, request: Request) -> Response:
        registry = CollectorRegistry()
        registry.register(_Readings(families(await self._read())))
        ProcessCollector(registry=registry)
        return _encoded(registry, request)

    async def _of_all(self, request: Request) -> Response:
        assert self._siblings is not None
        registry = CollectorRegistry()
        registry.register(_Readings(await self._siblings.gather()))
        return _encoded(registry, request)


def _encoded(registry: CollectorRegistry, request: Request) -> Response:
    encode, kind = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(registry), headers={"Content-Type": kind, "Cache-Control": "no-store"})


@dataclass(frozen=True, slots=True)
class Siblings:
    """The workers of one server, each of which is asked at a socket in one folder."""

    folder: Path
    #: How many there are.
    count: int

    def socket_of(self, number: int) -> Path:
        """Return where the worker of that number is asked."""
        return self.folder / f"{number}.sock"

    async def gather(self) -> list[Metric]:
        """Return the figures of all workers, each with a label that says whose it is; of one that is away, that."""
        texts = await self.ask_all(PATH, {"Accept": _TEXT})
        up = GaugeMetricFamily("pyshare_worker_up", "Whether a worker answers.", labels=["worker"])
        merged: dict[str, Metric] = {up.name: up}
        for number in range(1, self.count + 1):
            up.add_metric([str(number)], number in texts)
            for family in text_string_to_metric_families(texts.get(number, "")):
                into = merged.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                for sample in family.samples:
                    into.add_sample(sample.name, {**sample.labels, "worker": str(number)}, sample.value)
        return list(merged.values())

    async def ask_all(self, path: str, headers: Mapping[str, str]) -> Mapping[int, str]:
        """Return the answer of each worker that has one, by the worker's number.

        Raises:
            HTTPException: 503 if no worker has.
        """
        texts: dict[int, str] = {}
        with trio.move_on_after(_SIBLING_SECONDS):
            async with trio.open_nursery() as nursery:
                for number in range(1, self.count + 1):
                    ask = partial(self._ask, number, path, headers, texts)
                    nursery.start_soon(ask, name=f"{path} of worker {number}")
        if not texts:
            raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, "no worker answers; try again")
        return texts

    async def _ask(self, number: int, path: str, headers: Mapping[str, str], texts: dict[int, str]) -> None:
        transport = httpx.AsyncHTTPTransport(uds=str(self.socket_of(number)))
        try:
            async with httpx.AsyncClient(transport=transport, timeout=None, trust_env=False) as client:
                response = await client.get(f"http://worker{path}", headers=headers)
        except httpx.HTTPError as error:
            logger.debug("a worker does not answer", extra={"number": number, "error": repr(error)})
        else:
            if response.status_code == HTTPStatus.OK:
                texts[number] = response.text
