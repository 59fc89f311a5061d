"""The attacker, a process of its own: it is told attacks by lines of JSON, and says when each is over.

python -m tests.system.noisy.attacker HOST PORT HTTP_PORT
"""

import json
import os
import sys
import traceback

import trio

import tests.system.noisy.attacks  # noqa: F401 - puts the attacks on the list
from tests.system.noisy.target import ATTACKS, ENDED, REST, Ended, Target

#: An attacker's own machine is not the server's: here it comes after the server.
_NICE = 10
#: Seconds between two goes of an attack.
_PAUSE_SECONDS = 0.05


async def run_attack(name: str, target: Target, seconds: float) -> dict[str, object]:
    """Repeat one attack until its time is up; return how often it began, and what went wrong with it."""
    goes, error = 0, ""
    if name == REST:
        await trio.sleep(seconds)
        return {"name": name, "goes": goes, "error": error}
    with trio.move_on_after(seconds):
        while not error:
            goes += 1
            try:
                await ATTACKS[name](target)
            except* (*ENDED, Ended):
                pass
            except* Exception as group:  # noqa: BLE001 - it is told to whoever gave the order
                error = "".join(traceback.format_exception(group))
            await trio.sleep(_PAUSE_SECONDS)
    return {"name": name, "goes": goes, "error": error}


async def main() -> None:
    """Attack as told until there is nothing more to be told."""
    os.nice(_NICE)
    target = Target(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    commands = trio.lowlevel.FdStream(os.dup(0))
    buffer = b""
    async with commands:
        async for data in commands:
            buffer += data
            while b"\n" in buffer:
                line, _, buffer = buffer.partition(b"\n")
                told = json.loads(line)
                answer = await run_attack(told["name"], target, told["seconds"])
                sys.stdout.write(json.dumps(answer) + "\n")
                sys.stdout.flush()


if __name__ == "__main__":
    trio.run(main)
