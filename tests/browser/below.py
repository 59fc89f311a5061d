"""A reverse proxy that serves a server below a path: it takes the path off, and has nothing elsewhere."""

import socket
from contextlib import suppress
from threading import Thread
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_HEAD_END = b"\r\n\r\n"
_NOTHING = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_PATIENCE_SECONDS = 30.0


class BelowPath:
    """Serves `target` below `prefix`, one connection a request, until the context is left."""

    def __init__(self, prefix: str, target: str) -> None:
        self._prefix = prefix.encode()
        parts = urlsplit(target)
        self._target = (parts.hostname or "", parts.port or 80)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self._threads = [Thread(target=self._accept)]
        # The paths that were asked for, as they came.
        self.asked: list[str] = []
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each in (self._listener, *self._sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in list(self._threads):
            thread.join(_PATIENCE_SECONDS)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._start(client)

    def _start(self, client: socket.socket) -> None:
        self._sockets.append(client)
        thread = Thread(target=self._serve, args=(client,))
        self._threads.append(thread)
        thread.start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError):
            head = b""
            while _HEAD_END not in head:
                if not (data := client.recv(65536)):
                    return client.close()
                head += data
            method, path, rest = head.split(b" ", 2)
            self.asked.append(path.decode())
            if not path.startswith(self._prefix + b"/"):
                client.sendall(_NOTHING)
                return client.close()
            if b"upgrade: websocket" not in rest.lower():
                rest = rest.replace(b"Connection: keep-alive", b"Connection: close")
            server = socket.create_connection(self._target, _PATIENCE_SECONDS)
            self._sockets.append(server)
            server.settimeout(None)
            server.sendall(b" ".join((method, path.removeprefix(self._prefix), rest)))
            up = Thread(target=_pump, args=(client, server))
            self._threads.append(up)
            up.start()
            _pump(server, client)
        return None


def _pump(source: socket.socket, target: socket.socket) -> None:
    """Pass on what comes until it ends."""
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
