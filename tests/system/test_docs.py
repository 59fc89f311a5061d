"""Every command and every example of the README and the docs, run as they stand, page by page.

Blocks of `sh` are one shell session a page: a program that serves is started
and waited for, any other has to end with 0, and servers go on until a block
starts others. Blocks of `python` are programs and run meanwhile. Ports are replaced by free ones, so that nothing
else is in the way. Blocks without a language hold what is not run here.
"""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from pyshare.settings import Settings
from tests.haproxy import SYSTEM_PATH
from tests.programs import require
from tests.system.server import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PATIENCE_SECONDS = 60
#: Ports of the docs, and by which variables programs are told of another one where a command does not name it.
PORTS = (8000, 8080, 8888, 8889, 8890, 8891, 6379)
#: What a program says when it serves.
READY = {
    "pyshare": "pyshare serves",
    "redis-server": "Ready to accept connections",
    "haproxy": "",
    "python": "double is at",
}
#: Variables that one command leaves to the next.
KEPT = "TOKEN|MADE|LINK|PATH|PYSHARE_REDIS_PASSWORD|EDIT|TEXT|TAG|EDITS"
#: Commands that are shown and not run, and why.
NOT_RUN = {
    "ops/run": "tests/test_ops.py runs it",
    "ops/test": "is what runs this",
    "npm": "tests/system/test_web_client.py builds and compares, tests/browser/test_own_page.py installs",
    "bots/bin/pip": "tests/net/test_python_package.py installs the wheel, from its file",
    "ACL": "tests/store/test_redis_refusals.py gives a user these permissions",
    "python3": ".ci/run makes an environment and a wheel so",
    "~/pyshare-env/bin/pip": ".ci/run installs so",
    "~/pyshare-env/bin/pyshare": "pyshare itself, in that environment",
    "pipx": "changes the user's programs",
    "docker": "needs a daemon; tests/test_deployment.py looks at image and compose file",
    "chmod": "is for the file of the command before",
    "printf": "makes secrets; tests/test_deployment.py looks at what compose wants",
    "sudo": "changes the machine; tests/test_deployment.py and tests/system/test_tls.py look at the files",
    "systemctl": "needs systemd; tests/test_deployment.py has it look at the unit",
    "/opt/pyshare/bin/pyshare": "pyshare itself, where the unit has it",
    "echo": "changes the machine",
    "curl": "asks a machine that a reader has",
    "": "is a setting; tests/test_pages.py reads it",
}
#: Where pyshare is, and the PATH of a terminal that does not know of it. README says how to tell it, and other pages
#: rely on that.
PROGRAMS = str(Path(sys.executable).parent)
BARE_PATH = os.pathsep.join(
    each for each in os.environ["PATH"].split(os.pathsep) if not Path(each, "pyshare").exists() and each != PROGRAMS
)
#: Pages whose subject is a trial that leaves nothing behind.
THROW_AWAY = {"sharepython.md"}
#: Commands in a sentence that are other programs', with flags of theirs.
OTHERS = re.compile(r"`(sudo|docker|pipx|git|mkdir|tar|mv|rm|\S+/pip|ops/\w+) [^`]*`")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path) -> list[tuple[str, str]]:
    """Return language and text of the page's blocks."""
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def commands(text: str) -> list[str]:
    """Return the commands of a block, a line each."""
    return [line.partition("  #")[0].strip() for line in text.replace("\\\n", " ").splitlines() if line.strip()]


def program(command: str) -> str:
    """Return what a command runs, without the variables before it."""
    words = [word for word in shlex.split(command) if not re.match(r"[A-Z_]+=", word)]
    return Path(words[0]).name if words and "/" not in words[0] else words[0] if words else ""


def serves(command: str) -> bool:
    """Whether a command goes on until it is stopped."""
    return bool(re.search(r"\bpyshare serve\b|\bredis-server\b|\bhaproxy -f\b|-m tests\.api\b", command))


@contextmanager
def session(folder: Path, page: Path) -> Iterator["Session"]:
    """Run a page's commands until the context is left; then every server that it has started must end as it should."""
    with ExitStack() as stack:
        found = Session(folder, page)
        stack.callback(found.kill)
        yield found
        found.stop()


class Session:
    """One page's shell, and the servers that it has started."""

    def __init__(self, folder: Path, page: Path) -> None:
        self._folder = folder
        with ExitStack() as stack:
            sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in PORTS]
            self._ports = {port: each.getsockname()[1] for port, each in zip(PORTS, sockets, strict=True)}
        # Ports of metrics follow from those of HTTP.
        for port in (8889, 8891):
            self._ports[Settings(http_port=port).metrics_at] = Settings(http_port=self._ports[port]).metrics_at
        path = [*([] if page == PAGES[0] else [PROGRAMS]), BARE_PATH, SYSTEM_PATH]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYSHARE_", "XDG_"))}
        ports = self._ports
        self._environment = {
            **kept,
            "PATH": os.pathsep.join(path),
            "HOME": str(folder),
            "PYSHARE_PORT": str(ports[8888]),
            "PYSHARE_HTTP_PORT": str(ports[8889]),
            "PROXY_BIND": f"127.0.0.1:{ports[8080]}",
            "SERVER_1_PORT": str(ports[8888]),
            "SERVER_1_HTTP_PORT": str(ports[8889]),
            "SERVER_2_PORT": str(ports[8890]),
            "SERVER_2_HTTP_PORT": str(ports[8891]),
        }
        self._servers: list[tuple[str, subprocess.Popen[bytes], Path]] = []
        # What one command leaves to the next: variables.
        self._state = folder / "state"
        self._state.touch()

    def placed(self, text: str) -> str:
        """Return a text with free ports in place of those of the docs, and its programs where they are."""
        text = re.sub(r"\b(\d{4})\b", lambda found: str(self._ports.get(int(found[1]), found[1])), text)
        text = text.replace(".venv/bin/python", sys.executable).replace("$PWD/.venv/bin", PROGRAMS)
        # What a page writes, it writes beside the project.
        return re.sub(r"-o (\S+)", rf"-o {self._folder}/\1", text)

    def run(self, command: str) -> str:
        """Run a command that ends; return what it printed."""
        script = f"set -eu; . {self._state}; {self.placed(command)}; set +x; declare -p > {self._state}.all; "
        script += f"grep -E '^declare -[-x] ({KEPT})=' {self._state}.all > {self._state} || true"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}{self.logs()}"
        return done.stdout

    def start(self, command: str) -> None:
        """Run a command that serves, and wait until it does."""
        log = self._folder / f"server-{len(self._servers)}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                ["bash", "-c", self._as_server(command)],
                cwd=ROOT,
                env=self._environment,
                stdout=file,
                stderr=file,
            )
        self._servers.append((command, process, log))
        word = next(word for name, word in READY.items() if re.search(rf"\b{name}\b", command))
        for _ in range(PATIENCE_SECONDS * 20):
            assert process.poll() is None, f"{command}\n{log.read_text(encoding='utf-8')}"
            if word in log.read_text(encoding="utf-8") and self._answers(command):
                return
            signal.sigtimedwait([], 0.05)
        pytest.fail(f"{command} does not serve\n{log.read_text(encoding='utf-8')}")

    def _as_server(self, command: str) -> str:
        variables, _, rest = command.partition(" ")
        if "=" in variables:
            return f". {self._state}; export {self.placed(variables)}; exec {self.placed(rest)}"
        return f". {self._state}; exec {self.placed(command)}"

    def _answers(self, command: str) -> bool:
        """Whether HAProxy, which says nothing, has found a server that is ready."""
        if "haproxy" not in command:
            return True
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._ports[8080])) == 0

    def logs(self) -> str:
        """Return what the servers have said."""
        return "".join(f"\n{command}:\n{log.read_text(encoding='utf-8')}" for command, _, log in self._servers)

    def stop(self) -> None:
        """Have the servers end, the last one first."""
        for command, process, log in reversed(self._servers):
            process.send_signal(signal.SIGTERM)
            code = process.wait(PATIENCE_SECONDS)
            # HAProxy ends with the signal's number.
            assert code in {0, -signal.SIGTERM, 128 + signal.SIGTERM}, f"{command}\n{log.read_text(encoding='utf-8')}"
        self._servers.clear()

    def kill(self) -> None:
        """End what still runs."""
        for _, process, _ in self._servers:
            process.kill()
            process.wait()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_and_example_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    for name in ("redis-server", "haproxy", "curl", "openssl"):
        if re.search(rf"^(\S+=\S+ )?.*\b{name}\b", "".join(text for _, text in blocks(page)), re.MULTILINE):
            found = shutil.which(name, path=os.pathsep.join((os.environ["PATH"], SYSTEM_PATH)))
            require(name, found is not None, f"apt-get install {name}")
    with session(tmp_path, page) as shell:
        for number, (language, text) in enumerate(blocks(page)):
            if language == "sh":
                if any(map(serves, commands(text))):
                    # Each such block begins anew.
                    shell.stop()
                for command in commands(text):
                    if serves(command):
                        shell.start(command)
                    else:
                        shell.run(command)
            elif language == "python":
                file = tmp_path / f"example_{number}.py"
                file.write_text(shell.placed(text), encoding="utf-8")
                if "ws://" in text and not shell.logs():
                    shell.start("pyshare serve")
                assert shell.run(f"python -W error {file}").strip()


def test_the_example_client_opens_a_text_of_more_than_a_mebibyte(tmp_path: Path) -> None:
    page = ROOT / "docs" / "protocol.md"
    (example,) = (text for language, text in blocks(page) if language == "python")
    with session(tmp_path, page) as shell:
        shell.start("pyshare serve --store memory")
        address = shell.placed("http://127.0.0.1:8889/codespaces")
        body = json.dumps({"text": "\u5b57" * 400_000}).encode()
        request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
            token = json.load(answer)["edit"]["token"]
        file = tmp_path / "example.py"
        file.write_text(re.sub(r"tmp-[0-9a-f-]+", token, shell.placed(example)), encoding="utf-8")
        assert shell.run(f"python {file}").startswith("stored at version")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_an_example_keeps_what_it_is_given_and_lets_nobody_in_without_a_password(page: Path) -> None:
    if page.name in THROW_AWAY:
        return
    for language, text in blocks(page):
        for command in commands(text) if language == "sh" else []:
            assert "--store memory" not in command or "bench.load" in command, command
            if program(command) == "redis-server":
                assert "ops/redis.conf" in command, command
                assert "requirepass" in command, command


def test_the_redis_of_the_examples_keeps_texts_and_is_reached_from_this_machine_alone() -> None:
    lines = (ROOT / "ops" / "redis.conf").read_text(encoding="utf-8").splitlines()
    wanted = {"appendonly yes", "maxmemory-policy noeviction", "bind 127.0.0.1", "protected-mode yes"}
    assert wanted <= set(lines)


def test_the_example_that_lets_others_in_listens_to_others() -> None:
    page = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    (section,) = re.findall(r"^## One server, for others too$(.*?)^## ", page, re.MULTILINE | re.DOTALL)
    (example,) = (text for language, text in BLOCK.findall(section) if language == "sh")
    (proxy,) = (command for command in commands(example) if "haproxy" in command)
    assert proxy.startswith("PROXY_BIND=:8080 ")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_is_shown_and_not_run_here_is_run_elsewhere(page: Path) -> None:
    for language, text in blocks(page):
        assert language in {"", "sh", "python", "js", "json", "html"}
        if language == "":
            names = [name for name in map(program, commands(text)) if name != "pyshare"]
            assert [each for each in names if each not in NOT_RUN] == []


def test_every_page_is_on_the_map_and_every_link_leads_somewhere() -> None:
    readme = PAGES[0].read_text(encoding="utf-8")
    for page in PAGES[1:]:
        assert f"(docs/{page.name})" in readme
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_flags_that_the_docs_name_are_flags() -> None:
    programs = [
        ["pyshare", "serve"],
        ["pyshare", "token"],
        ["pyshare", "top"],
        ["pyshare", "codespaces"],
        ["simulation"],
    ]
    helps = "".join(
        subprocess.run(
            [sys.executable, "-m", *words, "--help"], capture_output=True, text=True, check=True, timeout=60, cwd=ROOT
        ).stdout
        for words in programs
    )
    known = set(re.findall(r"--[a-z][a-z-]+", helps))
    for page in PAGES:
        prose = OTHERS.sub("", BLOCK.sub("", page.read_text(encoding="utf-8")))
        named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", prose))
        assert named <= known | {"--prefix", "--help", "--version"}, page.name
