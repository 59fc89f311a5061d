"""`ops/backup`: a whole copy of a data folder, also while a server writes there, or none."""

import stat
import subprocess
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "ops" / "backup"


def backed_up(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPT, *arguments],
        env={"PATH": "/usr/bin:/bin", "HOME": "/nowhere", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder as a server has it."""
    data = tmp_path / "home" / ".local" / "share" / "pyshare"
    (data / "appendonlydir").mkdir(parents=True)
    for name in ("secret", "redis.sock", "redis.pid", "appendonlydir/x.manifest", "appendonlydir/temp-1.rdb"):
        (data / name).write_text("1", encoding="utf-8")
    return data


def tar_that(folder: Path, *lines: str) -> str:
    """Return a PATH on which tar does something else first."""
    programs = folder / "programs"
    programs.mkdir()
    text = "\n".join(["#!/bin/bash", *lines, 'exec /usr/bin/tar "$@"', ""])
    (programs / "tar").write_text(text, encoding="utf-8")
    (programs / "tar").chmod(0o755)
    return f"{programs}:/usr/bin:/bin"


def test_a_backup_has_the_secret_and_the_files_that_count_for_its_owner_alone(tmp_path: Path, folder: Path) -> None:
    target = tmp_path / "one.tar.gz"
    done = backed_up(target, HOME=str(tmp_path / "home"))
    assert (done.returncode, done.stderr) == (0, "")
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    with tarfile.open(target) as found:
        assert {each.name for each in found if each.isfile()} == {"./secret", "./appendonlydir/x.manifest"}


def test_files_that_were_exchanged_meanwhile_are_copied_again(tmp_path: Path, folder: Path) -> None:
    manifest, once = folder / "appendonlydir" / "x.manifest", tmp_path / "once"
    path = tar_that(tmp_path, f"[ -e {once} ] || echo 2 > {manifest}", f"touch {once}")
    assert backed_up(tmp_path / "one.tar.gz", folder, PATH=path).returncode == 0
    with tarfile.open(tmp_path / "one.tar.gz") as found:
        copied = found.extractfile("./appendonlydir/x.manifest")
        assert copied is not None
        assert copied.read() == b"2\n"


@pytest.mark.parametrize("line", ['echo "$RANDOM" > {manifest}', "echo no room >&2; exit 2"])
def test_what_cannot_be_copied_whole_leaves_no_file(line: str, tmp_path: Path, folder: Path) -> None:
    path = tar_that(tmp_path, line.format(manifest=folder / "appendonlydir" / "x.manifest"))
    done = backed_up(tmp_path / "one.tar.gz", folder, PATH=path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("pyshare: ")
    assert list(tmp_path.glob("one*")) == []


def test_no_older_backup_is_written_over(tmp_path: Path, folder: Path) -> None:
    target = tmp_path / "one.tar.gz"
    target.write_text("older", encoding="utf-8")
    done = backed_up(target, folder)
    assert done.returncode == 2
    assert "is there already" in done.stderr
    assert target.read_text(encoding="utf-8") == "older"


@pytest.mark.parametrize("arguments", [(), ("--full",), ("a", "b", "c"), ("a.tar.gz", "/nowhere")])
def test_what_is_not_understood_is_said_and_nothing_is_written(arguments: tuple[str, ...], tmp_path: Path) -> None:
    done = backed_up(*arguments)
    assert done.returncode == 2
    assert done.stderr
