"""A backup of a real server that is typed into: restored elsewhere, links and texts are there."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import trio

from pyshare.client import connect
from tests.system.server import PATIENCE_SECONDS, ROOT, running


async def made(port: int) -> str:
    """Make a codespace; return a link to it."""
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(f"http://127.0.0.1:{port}/codespaces", json={"text": "first\n"})
    token: str = answer.json()["edit"]["token"]
    return token


async def test_a_backup_that_was_made_while_somebody_typed_is_restored_into_another_folder(tmp_path: Path) -> None:
    data, other, file = tmp_path / "data", tmp_path / "other", tmp_path / "one.tar.gz"
    with trio.fail_after(2 * PATIENCE_SECONDS):
        async with running("--data-folder", str(data)) as server:
            token = await made(await server.wait_http_port())
            async with connect(server.codespace(token)) as codespace:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(type_on, codespace.append)
                    await trio.sleep(0.2)
                    await codespace.wait_confirmed()
                    before = codespace.text
                    await trio.run_process([str(ROOT / "ops" / "backup"), str(file), str(data)])
                    nursery.cancel_scope.cancel()
                after = codespace.text
        other.mkdir(mode=0o700)
        await trio.run_process(["tar", "-xzf", str(file), "-C", str(other)], stderr=subprocess.STDOUT)
        async with running("--data-folder", str(other)) as server:
            port = await server.wait_http_port()
            async with httpx.AsyncClient(trust_env=False) as client:
                answer = await client.get(f"http://127.0.0.1:{port}/codespaces/{token}/text")
    assert answer.status_code == 200
    # Redis has written what it was given a moment before; only the disk may have it a second later.
    assert answer.text.startswith(before)
    assert after.startswith(answer.text)


async def type_on(append: Callable[[str], object]) -> None:
    """Type a line after the other until cancelled."""
    number = 0
    while True:
        append(f"{number}\n")
        number += 1
        await trio.sleep(0.01)
