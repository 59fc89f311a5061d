"""Pages for operators: what they say of files, settings and figures is so."""

import re
import tomllib
from pathlib import Path

import pytest

from pyshare.given import settings_from, unknown_variables
from pyshare.settings import Settings

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
INSTALL = (DOCS / "install.md").read_text(encoding="utf-8")
SIZING = (DOCS / "sizing.md").read_text(encoding="utf-8")
UNIT = (ROOT / "ops" / "pyshare.service").read_text(encoding="utf-8")
IMAGE = (ROOT / "ops" / "Dockerfile").read_text(encoding="utf-8")


def number(text: str) -> float:
    """Return a number as the page writes it, with thin spaces of thousands."""
    return float(text.replace(" ", ""))


def test_each_product_in_the_arithmetic_is_right() -> None:
    found = re.findall(
        r"((?:\d[\d ]*(?:\.\d+)?(?: [kM]B)? x )+\d[\d ]*(?:\.\d+)?) ?([kM]B)? = (\d[\d ]*\d)(?: ([kMG]B))?", SIZING
    )
    assert len(found) >= 9
    units = {"": 1, "kB": 1e-3, "MB": 1, "GB": 1e3}
    for product, unit, result, result_unit in found:
        value = 1.0
        for factor in product.split(" x "):
            value *= number(re.sub(r" [kM]B", "", factor))
        assert value * units[unit] == pytest.approx(number(result) * units[result_unit], rel=0.05), product


def test_the_settings_for_a_school_are_settings_and_let_its_people_in_through_one_address() -> None:
    (block,) = re.findall(r"^```\n(PYSHARE_.*?)^```$", SIZING, re.MULTILINE | re.DOTALL)
    given = dict(line.split("=") for line in block.splitlines())
    assert unknown_variables(given) == []
    settings = settings_from({}, given)
    assert settings.connections_per_address >= 2 * 2000
    assert settings.http_requests_per_second >= 30_000 / 60
    assert settings.codespaces_per_minute_per_address == 300
    assert settings.connections == Settings().connections == 10_000


def test_the_steps_for_the_service_are_those_of_the_unit() -> None:
    (section,) = re.findall(r"^## As a service: systemd$(.*?)^## ", INSTALL, re.MULTILINE | re.DOTALL)
    for path in ("/opt/pyshare/bin/pyshare", "/etc/pyshare.env"):
        assert path in section
        assert path in UNIT
    assert "StateDirectory=pyshare" in UNIT
    data = "--data-folder /var/lib/pyshare"
    for command in ("token", "codespaces"):
        assert f"sudo /opt/pyshare/bin/pyshare {command} {data}" in section


def test_the_container_has_the_ports_volume_user_and_time_that_the_page_says() -> None:
    (command,) = re.findall(r"^docker run .*$", INSTALL, re.MULTILINE)
    (volume,) = re.findall(r"^VOLUME (\S+)$", IMAGE, re.MULTILINE)
    assert f"--volume pyshare:{volume} " in command
    assert "--publish 127.0.0.1:8889:8889" in command
    assert "8889" in re.findall(r"^EXPOSE (.*)$", IMAGE, re.MULTILINE)[0].split()
    assert re.findall(r"^USER (\d+)", IMAGE, re.MULTILINE) == re.findall(r"runs as user (\d+)", INSTALL)
    (seconds,) = re.findall(r"--stop-timeout (\d+)", command)
    assert int(seconds) > Settings().drain_seconds


def test_the_page_of_installing_has_a_section_for_each_need() -> None:
    sections = re.findall(r"^## (.+)$", INSTALL, re.MULTILINE)
    assert {"Without a network", "Uninstalling", "Systems", "Where to report"} <= set(sections)
    for way in ("venv", "pipx", "systemd", "Docker", "compose"):
        assert any(way in section for section in sections), way
        assert f"| {way} |" in INSTALL.partition("## Uninstalling")[2]


def test_the_pythons_that_are_supported_are_those_that_are_tested() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    tested = re.findall(
        r"^for version in (.*); do$", (ROOT / "ops" / "pythons").read_text(encoding="utf-8"), re.MULTILINE
    )
    named = [each.rpartition(" ")[2] for each in project["classifiers"] if re.search(r"Python :: 3\.\d+$", each)]
    assert tested == [" ".join(named)]
    assert f"Python {', '.join(named[:-1])} and {named[-1]}" in INSTALL


@pytest.mark.parametrize("path", [ROOT / "README.md", *sorted(DOCS.glob("*.md"))], ids=lambda path: path.stem)
def test_a_lifetime_is_the_same_on_every_page(path: Path) -> None:
    """A lifetime is a week, or 20 minutes; no page has another word or number for it."""
    assert Settings().expire_seconds == 7 * 86_400
    assert Settings(api_base_url="http://127.0.0.1:8000/").expire_seconds == 20 * 60
    assert Settings().tmp_codespace_expire_seconds == 20 * 60
    text = path.read_text(encoding="utf-8")
    for found in re.finditer(r"[^.|\n]*\b(?:lifetime|unused|expires?)\b[^.|\n]*", text):
        for figure in re.findall(r"\b(\d+|a|one|two|twenty|seven) (minutes?|hours?|days?|weeks?)\b", found[0]):
            assert figure in {("20", "minutes"), ("a", "week"), ("one", "minute"), ("a", "minute")}, found[0]
