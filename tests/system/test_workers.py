"""Worker processes of a real server: they start together, end together, and never outlive who supervises them."""

import os
import signal
from pathlib import Path

import trio

from pyshare.core.errors import ConfigurationError
from tests.redis import running_redis
from tests.system.server import PATIENCE_SECONDS, ROOT, command, running


def alive(pid: int) -> bool:
    """Whether a process runs."""
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"


async def wait_ended(*pids: int) -> None:
    """Wait until none of the processes runs any more."""
    with trio.fail_after(PATIENCE_SECONDS):
        while any(map(alive, pids)):  # noqa: ASYNC110 - they are nobody's children here
            await trio.sleep(0.02)


async def test_workers_end_with_the_server_and_it_with_exit_code_0(tmp_path: Path) -> None:
    async with running("--data-folder", str(tmp_path), "--workers", "2") as server:
        workers = server.children("worker")
        assert len(workers) == 2
        server.tell(signal.SIGTERM)
        assert await server.wait() == 0
        assert not any(map(alive, workers))


async def test_workers_drain_when_who_supervises_them_is_killed(tmp_path: Path) -> None:
    flags = ("--data-folder", str(tmp_path), "--workers", "2")
    async with running(*flags, exit_code=-signal.SIGKILL) as server:
        workers, embedded = server.children("worker"), server.children("-server")
        server.tell(signal.SIGKILL)
        await server.wait()
        await wait_ended(*workers)
    # The next one ends what was left of the embedded server, and goes on with its data.
    async with running("--data-folder", str(tmp_path)):
        await wait_ended(*embedded)


async def test_every_worker_serves_and_each_logs_who_it_is(tmp_path: Path) -> None:
    async with running("--data-folder", str(tmp_path), "--workers", "3") as server:
        await server.wait_logged("serving", times=3)
        assert {line.get("worker") for line in server.log if line["event"] == "serving"} == {1, 2, 3}


async def test_a_second_signal_ends_workers_at_once(tmp_path: Path) -> None:
    flags = ("--data-folder", str(tmp_path), "--workers", "2", "--drain-seconds", "60")
    async with running(*flags) as server:
        for worker in server.children("worker"):
            os.kill(worker, signal.SIGSTOP)
        workers = server.children("worker")
        server.tell(signal.SIGTERM)
        await server.wait_logged("draining")
        server.tell(signal.SIGTERM)
        for worker in workers:
            os.kill(worker, signal.SIGCONT)
        assert await server.wait() == 0


async def test_a_worker_that_cannot_start_ends_the_server_with_what_it_said() -> None:
    with running_redis("redis-server") as redis, trio.fail_after(PATIENCE_SECONDS):
        done = await trio.run_process(
            command("--port", "0", "--http-port", "0", "--workers", "2", "--redis-url", f"{redis.url}?db=99"),
            cwd=ROOT,
            capture_stderr=True,
            capture_stdout=True,
            check=False,
        )
    assert done.returncode == ConfigurationError.exit_code
    lines = done.stderr.decode().splitlines()
    assert any("DB index is out of range" in line and "--redis-url" in line for line in lines), lines
    assert lines[-1] == "pyshare: worker 1 did not start; what it said stands above"
