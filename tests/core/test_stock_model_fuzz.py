"""The model of the stock front end and the real packages agree at every step of random scripts."""

import json
import os
import subprocess
from pathlib import Path
from typing import Final

from pyshare.core.units import to_units
from tests.core.stock_scripts import Script, Told

#: Scripts that are played, and steps of each.
_SCRIPTS: Final = int(os.environ.get("PYSHARE_TEST_STOCK_SCRIPTS", "200"))
_STEPS: Final = 60
#: Seconds that node may take for all of them.
_PATIENCE: Final = 120


def test_the_model_and_the_real_packages_agree_at_every_step(front_end: Path, seed: int) -> None:
    scripts = []
    for number in range(_SCRIPTS):
        script = Script(seed * _SCRIPTS + number)
        script.play(_STEPS)
        scripts.append(script)
    asked = "".join(f"{json.dumps(step)}\n" for script in scripts for step in script.steps)
    answers = iter(_play(front_end, asked))
    for number, script in enumerate(scripts, seed * _SCRIPTS):
        before: Told = {}
        for step, shown in zip(script.steps, script.shown, strict=True):
            assert _in_units(next(answers)) == shown, f"script {number} differs at {step}, after {before}"
            before = shown


def _play(front_end: Path, asked: str) -> list[object]:
    command = ["node", str(front_end / "peer.mjs")]
    done = subprocess.run(command, input=asked, capture_output=True, check=False, encoding="utf-8", timeout=_PATIENCE)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def _in_units(value: object) -> object:
    if isinstance(value, str):
        return to_units(value)
    if isinstance(value, list):
        return [_in_units(item) for item in value]
    if isinstance(value, dict):
        return {key: _in_units(item) for key, item in value.items()}
    return value
