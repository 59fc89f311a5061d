"""Tests of the scripts in `ops` and of the files that they make."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import pytest

from tests.programs import require

ROOT = Path(__file__).parent.parent
SCRIPTS = [ROOT / "ops" / name for name in ("backup", "environment", "lock", "pythons", "run", "test")] + [
    ROOT / ".ci" / "run"
]


def run(*command: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    require("bash", shutil.which("bash") is not None, "the scripts in ops are written for it")
    return subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with just what `ops/environment` looks at."""
    (tmp_path / "ops").mkdir()
    for name in ("pyproject.toml", "ops/constraints.txt", "ops/environment", "ops/run"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def make_python(folder: Path, body: str) -> Path:
    python = folder / "python3"
    python.write_text(f"#!/usr/bin/env bash\n{body}\n")
    python.chmod(0o755)
    return python


@pytest.mark.parametrize("script", SCRIPTS, ids=str)
def test_a_script_is_executable_and_its_syntax_is_right(script: Path, tmp_path: Path) -> None:
    assert os.access(script, os.X_OK)
    assert script.read_text().startswith("#!/usr/bin/env bash\n")
    assert "\nset -euo pipefail\n" in script.read_text()
    done = run("bash", "-n", script, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["backup", "environment", "lock", "pythons", "test"])
def test_a_script_explains_itself_from_any_folder(name: str, tmp_path: Path) -> None:
    done = run(ROOT / "ops" / name, "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: ops/{name}")


@pytest.mark.parametrize("script", ["ops/environment", "ops/run"])
def test_a_python_that_is_too_old_is_one_line_and_exit_code_2(script: str, project: Path) -> None:
    python = make_python(project, "echo 3.9.2; exit 1")
    done = run(project / script, cwd=project, PYTHON=str(python))
    assert done.returncode == 2
    assert done.stderr == (
        f"pyshare: Python 3.11 or later is needed, but {python} is 3.9.2; "
        "install a newer one, or name it by PYTHON=/path/to/python3\n"
    )
    assert not (project / ".venv").exists()


def test_a_folder_that_cannot_be_written_to_is_one_line_with_a_way_out() -> None:
    with tempfile.TemporaryDirectory() as name:
        project = Path(name) / "project"
        (project / "ops").mkdir(parents=True)
        for file in ("pyproject.toml", "ops/constraints.txt", "ops/environment"):
            shutil.copy(ROOT / file, project / file)
        # One who may read all of it and write nothing: root may write everywhere.
        for folder in (Path(name), project, project / "ops"):
            folder.chmod(0o755)
        other = 65534 if os.getuid() == 0 else None
        project.chmod(0o755 if other else 0o555)
        done = subprocess.run(
            ["bash", project / "ops" / "environment"],
            user=other,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        project.chmod(0o755)
    assert done.returncode == 2
    assert done.stderr.startswith(f"pyshare: {project}: cannot be written to")
    assert f"pip install -c {project}/ops/constraints.txt {project}\n" in done.stderr


def test_a_python_without_venv_is_one_line_that_names_the_package(project: Path) -> None:
    python = make_python(project, f'case "$*" in *ensurepip*) exit 1 ;; esac; exec {sys.executable} "$@"')
    done = run(project / "ops/environment", cwd=project, PYTHON=str(python))
    assert done.returncode == 2
    assert re.fullmatch(r"pyshare: .* without venv and pip: .*apt-get install python3-venv\)\n", done.stderr)


def test_a_python_that_cannot_be_run_is_one_line(project: Path) -> None:
    done = run(project / "ops/environment", cwd=project, PYTHON="/nowhere/python3")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("pyshare: PYTHON=/nowhere/python3: ")


@pytest.mark.parametrize("name", ["", "venv", "../.venv-3.12", ".venv-a/b"])
def test_a_folder_that_is_not_an_environments_own_is_one_line_and_exit_code_2(name: str, project: Path) -> None:
    done = run(project / "ops/environment", "--folder", name, cwd=project)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"--folder '{name}'" in done.stderr


def test_an_environment_of_another_folder_leaves_the_first_as_it_is(project: Path) -> None:
    python = make_python(
        project,
        f'if [ "$2" = venv ]; then mkdir -p "$4/bin"; printf "#!/bin/sh\\n" >"$4/bin/python"; '
        f'chmod +x "$4/bin/python"; exit; fi; exec {sys.executable} "$@"',
    )
    first, second = (
        run(project / "ops/environment", "--folder", ".venv-other", cwd=project, PYTHON=str(python)) for _ in range(2)
    )
    assert (first.returncode, second.returncode, second.stderr) == (0, 0, "")
    assert (project / ".venv-other" / "bin" / "python").exists()
    assert not (project / ".venv").exists()


def make_pythons(folder: Path, *versions: str) -> str:
    """Return a PATH on which just these Pythons can be run; each prints its version and passes all tests."""
    (folder / "bin").mkdir()
    for version in ("3.11", "3.12", "3.13"):
        python = folder / "bin" / f"python{version}"
        # A version that pyenv has, but that is not chosen, is on PATH all the same and fails.
        works = f'echo {version}; case "$*" in *pytest*) echo "tested with {version}" ;; esac'
        python.write_text(f"#!/bin/sh\n{works if version in versions else 'exit 127'}\n")
        python.chmod(0o755)
    (folder / "bin" / "pyenv").write_text("#!/bin/sh\nexit 1\n")
    (folder / "bin" / "pyenv").chmod(0o755)
    return f"{folder / 'bin'}:{os.environ['PATH']}"


def test_tests_are_passed_on_each_python_that_is_found_but_the_one_of_the_environment(project: Path) -> None:
    shutil.copy(ROOT / "ops/pythons", project / "ops")
    # It makes an environment of what it is told to, and nothing else.
    (project / "ops/environment").write_text(
        '#!/bin/sh\nset -e\nmkdir -p "$3/bin"\ncp "$(command -v "$PYTHON")" "$3/bin/python"\n'
    )
    path = make_pythons(project, "3.11", "3.13")
    (project / ".venv/bin").mkdir(parents=True)
    shutil.copy(project / "bin" / "python3.11", project / ".venv/bin/python")
    done = run(project / "ops/pythons", cwd=project, PATH=path)
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stdout.splitlines() if line.startswith("tested with")] == ["tested with 3.13"]
    assert "pyshare: Python 3.12 was not found" in done.stderr


def test_a_set_up_that_fails_is_not_taken_for_finished(project: Path) -> None:
    python = make_python(project, f'[ "$2" = venv ] && exit 1; exec {sys.executable} "$@"')
    for _ in range(2):
        done = run(project / "ops/environment", cwd=project, PYTHON=str(python))
        assert done.returncode == 1
        assert "failed" in done.stderr


def test_the_lock_is_of_plain_versions_in_order() -> None:
    lines = (ROOT / "ops" / "constraints.txt").read_text().splitlines()
    assert lines[0].startswith("#")
    assert "ops/lock" in lines[0]
    assert lines[1:] == sorted(lines[1:], key=lambda line: line.partition("==")[0])
    for line in lines[1:]:
        assert re.fullmatch(r'[a-z0-9-]+==[0-9a-z.]+( ; python_version == "3\.\d+")?', line)


def test_the_lock_has_every_direct_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {
        re.split(r"[<>=]", requirement)[0]
        for requirement in project["dependencies"] + project["optional-dependencies"]["dev"]
    }
    locked = {line.partition("==")[0] for line in (ROOT / "ops" / "constraints.txt").read_text().splitlines()}
    assert wanted <= locked


def test_no_package_lock_has_addresses() -> None:
    for path in ROOT.glob("tests/*/package-lock.json"):
        for name, package in json.loads(path.read_text())["packages"].items():
            assert "resolved" not in package, (path, name)
