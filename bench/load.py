"""Measure what an edit and a delivery cost the server, under closed-loop load from another process.

    python -m bench.load                     the standard loads against a server of its own
    python -m bench.load --load 50x4x4       one load: codespaces x clients x clients that write
    python -m bench.load --seconds 10 --url ws://127.0.0.1:8888 --pid 4711

A writer sends its next edit when it sees its last one come back. CPU is that of
the server process, user and system, from /proc, so this runs on Linux. Compare
figures of one run on an otherwise idle machine with at least two cores.
"""

import argparse
import base64
import json
import os
import re
import secrets
import selectors
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

STANDARD_LOADS = ("1x1x1", "1x10x10", "1x100x1", "1x1000x1", "50x4x4")
#: How the server's frame with committed updates begins.
UPDATES = b'{"type":"updates"'
#: Seconds without a frame after which the arrivals of all clients have been told to all.
QUIET_SECONDS = 0.5
#: Text length about which writers insert or delete.
TEXT_UNITS = 500


@dataclass
class Client:
    """One WebSocket of the load; it reads frame headers, and bodies only if it writes."""

    sock: socket.socket
    writes: bool
    id: str = ""
    version: int = 0
    length: int = 0
    seq: int = 0
    sent_at: float = 0
    buffer: bytearray = field(default_factory=bytearray)

    def push(self) -> None:
        """Send the next edit: one character in or out."""
        self.seq += 1
        middle = self.length // 2
        if self.length < TEXT_UNITS:
            changes = [part for part in (middle, [0, "x"], self.length - middle) if part]
        else:
            changes = [part for part in (middle, [1], self.length - middle - 1) if part]
        push = {"type": "push", "seq": self.seq, "version": self.version, "updates": [changes]}
        self.sent_at = time.perf_counter()
        self.sock.sendall(masked(json.dumps(push, separators=(",", ":")).encode()))

    def frames(self) -> Iterator[bytes]:
        """Return the bodies of the text frames that have arrived whole."""
        buffer = self.buffer
        start = 0
        while len(buffer) - start >= 2:
            opcode, length, body = buffer[start] & 15, buffer[start + 1] & 127, start + 2
            if length == 126:
                length, body = int.from_bytes(buffer[start + 2 : start + 4]), start + 4
            elif length == 127:
                length, body = int.from_bytes(buffer[start + 2 : start + 10]), start + 10
            if len(buffer) < body + length:
                break
            start = body + length
            if opcode == 1:
                # Who only counts needs no more than the type.
                yield bytes(buffer[body : start if self.writes or not self.id else body + len(UPDATES)])
            elif opcode == 8:
                raise SystemExit(f"the server closed a client: {bytes(buffer[body + 2 : start]).decode()}")
        del buffer[:start]

    def note(self, updates: list[dict[str, object]], version: int) -> bool:
        """Take committed updates; return whether one's own edit is among them."""
        own = False
        for update in updates:
            changes = update["changes"]
            assert isinstance(changes, list)
            for part in changes:
                if isinstance(part, list):
                    self.length += sum(map(len, part[1:])) + len(part[2:]) - part[0]
            own = own or (update["sender"], update["seq"]) == (self.id, self.seq)
        self.version = version
        return own


def masked(payload: bytes) -> bytes:
    """Return `payload` as a client's text frame, with the mask that changes nothing."""
    length = len(payload)
    head = bytes((0x81, 0x80 | length)) if length < 126 else b"\x81\xfe" + struct.pack("!H", length)
    return head + bytes(4) + payload


def connect(url: str, codespace: str, *, writes: bool) -> Client:
    """Open a client of `codespace` and return it when it has been welcomed."""
    parts = urlsplit(url)
    sock = socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 80))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    session = secrets.token_urlsafe(16)
    sock.sendall(
        f"GET /codespace/{codespace}/?session={session} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        f"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: pyshare.v1\r\n\r\n".encode()
    )
    client = Client(sock, writes)
    while b"\r\n\r\n" not in client.buffer:
        client.buffer += sock.recv(65536)
    del client.buffer[: client.buffer.index(b"\r\n\r\n") + 4]
    while not client.id:
        for body in client.frames():
            welcome = json.loads(body)
            client.id, client.version = welcome["id"], welcome["version"]
            client.length = len(welcome["text"])
            break
        else:
            client.buffer += sock.recv(65536)
    return client


@dataclass
class Measured:
    """Figures of one load."""

    edits: int
    deliveries: int
    seconds: float
    cpu_seconds: float
    round_trips: list[float]


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used, user and system."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run_load(url: str, pid: int, load: str, seconds: float) -> Measured:
    """Put one load on the server and return what it came to."""
    codespaces, clients, writers = map(int, load.split("x"))
    selector = selectors.DefaultSelector()
    everybody = []
    for _ in range(codespaces):
        codespace = f"tmp-{uuid.uuid4()}"
        for index in range(clients):
            client = connect(url, codespace, writes=index < writers)
            everybody.append(client)
            selector.register(client.sock, selectors.EVENT_READ, client)
    while ready := selector.select(timeout=QUIET_SECONDS):
        for key, _ in ready:
            key.data.buffer += key.data.sock.recv(262_144)
            for _ in key.data.frames():
                pass
    for client in everybody:
        if client.writes:
            client.push()
    measured = Measured(0, 0, 0, 0, [])
    started, cpu_before = time.perf_counter(), cpu_seconds(pid)
    while time.perf_counter() < started + seconds:
        for key, _ in selector.select(timeout=1):
            client = key.data
            client.buffer += client.sock.recv(262_144)
            for body in client.frames():
                if not body.startswith(UPDATES):
                    if b"refused" in body:
                        raise SystemExit(f"refused: {body.decode()}")
                    continue
                measured.deliveries += 1
                if not client.writes:
                    continue
                frame = json.loads(body)
                if client.note(frame["updates"], frame["version"]):
                    measured.edits += 1
                    measured.round_trips.append(time.perf_counter() - client.sent_at)
                    client.push()
    measured.seconds = time.perf_counter() - started
    measured.cpu_seconds = cpu_seconds(pid) - cpu_before
    for client in everybody:
        client.sock.close()
    return measured


def report(load: str, measured: Measured) -> str:
    """Return one row of the table."""
    trips = sorted(measured.round_trips) or [0.0]
    p50, p99 = statistics.median(trips) * 1e3, trips[int(len(trips) * 0.99)] * 1e3
    per_edit = measured.cpu_seconds / max(1, measured.edits) * 1e6
    per_delivery = measured.cpu_seconds / max(1, measured.deliveries) * 1e6
    return (
        f"{load:>12} {measured.edits / measured.seconds:9.0f} {measured.deliveries / measured.seconds:12.0f} "
        f"{p50:8.2f} / {p99:6.2f} {per_edit:12.0f} {per_delivery:16.1f}"
    )


@contextmanager
def own_server(store: str) -> Iterator[tuple[str, int]]:
    """Run a server with limits out of the way; yield its address and process id."""
    command = [sys.executable, "-m", "pyshare", "serve", "--port", "0", "--http-port", "0", "--store", store]
    command += ["--pushes-per-second", "1000000"]
    command += ["--codespaces-per-minute", "1000000", "--codespaces-per-minute-per-address", "1000000"]
    with (
        tempfile.TemporaryDirectory(prefix="pyshare-") as folder,
        subprocess.Popen(
            [*command, "--data-folder", folder, "--log-level", "warning"], stdout=subprocess.PIPE, text=True
        ) as server,
    ):
        assert server.stdout is not None
        address = next(word for word in server.stdout.readline().split() if word.startswith("ws://"))
        try:
            yield address.partition("/codespace")[0], server.pid
        finally:
            server.terminate()


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--load", action="append", help="codespaces x clients x writers, as 50x4x4; repeatable")
    parser.add_argument(
        "--store", choices=("memory", "redis"), default="memory", help="of the server (default: memory)"
    )
    parser.add_argument("--seconds", type=float, default=5, help="length of each load (default: 5)")
    parser.add_argument("--url", help="a server that runs already, as ws://127.0.0.1:8888; needs --pid")
    parser.add_argument("--pid", type=int, help="the process whose CPU is measured")
    arguments = parser.parse_args()
    for load in arguments.load or ():
        if not re.fullmatch(r"[1-9]\d*x[1-9]\d*x\d+", load):
            parser.error(f"--load {load}: should be codespaces x clients x writers, as 50x4x4")
    if bool(arguments.url) != bool(arguments.pid):
        parser.error("--url and --pid go together")
    sys.stdout.write("  codespaces\n   x clients                        round trip\n")
    sys.stdout.write("   x writers   edits/s deliveries/s   p50 /    p99 ms  CPU us/edit  CPU us/delivery\n")
    for load in arguments.load or STANDARD_LOADS:
        if arguments.url:
            measured = run_load(arguments.url, arguments.pid, load, arguments.seconds)
        else:
            with own_server(arguments.store) as (url, pid):
                measured = run_load(url, pid, load, arguments.seconds)
        sys.stdout.write(report(load, measured) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
