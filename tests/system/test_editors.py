"""Many editors on real sockets, with connections that are cut: one text, every character in it once."""

import subprocess
from pathlib import Path
from random import Random

import pytest
import trio

from pyshare.client import Codespace, connect
from tests.system.server import RunningServer, running

CLIENTS = 20
EDITS = 25
#: Seconds in which everything has to come to rest.
PATIENCE_SECONDS = 60.0


async def edit(codespace: Codespace, random: Random, letters: list[str]) -> None:
    """Type `letters` at random places, delete what nobody counts, lose the connection now and then."""
    for letter in letters:
        codespace.insert(random.randrange(codespace.length + 1), letter + random.choice(("", "\U0001f600", "-\n-")))
        text = codespace.text
        match random.randrange(12):
            case 0:
                codespace.drop_connection()
            case 1 | 2 | 3 if "-" in text:
                codespace.delete(text.index("-"), text.index("-") + 1)
            case 4 | 5:
                await trio.sleep(0.02)
            case _:
                await trio.lowlevel.checkpoint()
    await codespace.wait_confirmed()


async def test_twenty_clients_that_type_and_lose_connections_end_with_one_text(seed: int) -> None:
    random = Random(seed)
    letters = [chr(0x4E00 + index) for index in range(CLIENTS * EDITS)]
    texts: list[str] = []
    async with running() as server:
        url = server.codespace()

        async def client(index: int) -> None:
            async with connect(url, name=f"client {index}") as codespace:
                await edit(codespace, random, letters[index * EDITS : (index + 1) * EDITS])
                confirmed.append(codespace)
                if len(confirmed) == CLIENTS:
                    all_confirmed.set()
                await all_confirmed.wait()
                await codespace.wait_version(max(each.version for each in confirmed))
                texts.append(codespace.text)

        confirmed: list[Codespace] = []
        all_confirmed = trio.Event()
        with trio.fail_after(PATIENCE_SECONDS):
            async with trio.open_nursery() as nursery:
                for index in range(CLIENTS):
                    nursery.start_soon(client, index)
    assert len(set(texts)) == 1
    assert all(texts[0].count(letter) == 1 for letter in letters)


async def run_editors(codemirror: Path, server: RunningServer, seed: int) -> subprocess.CompletedProcess[bytes]:
    """Run editors made of the real @codemirror/collab against a server."""
    with trio.fail_after(PATIENCE_SECONDS):
        return await trio.run_process(
            ["node", "editors.mjs", server.address, str(seed)],
            cwd=codemirror,
            capture_stdout=True,
            capture_stderr=True,
            check=False,
        )


@pytest.mark.parametrize("round_", range(3))
async def test_editors_made_of_the_real_codemirror_end_with_one_text(codemirror: Path, seed: int, round_: int) -> None:
    async with running() as server:
        done = await run_editors(codemirror, server, 10 * seed + round_)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
