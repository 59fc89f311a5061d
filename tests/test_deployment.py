"""What pyshare is deployed with: haproxy.cfg and the compose file, image and unit in `ops`, compared with the settings.

No container engine is needed; the files of one are compared with what they speak of.
"""

import fnmatch
import importlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import trio

from pyshare.net.addresses import Address, parse_networks
from pyshare.settings import SETTINGS, Settings
from tests.haproxy import CONFIG, OUT_SECONDS, PATIENCE_SECONDS, SYSTEM_PATH, FakeServer
from tests.programs import require

ROOT = Path(__file__).parent.parent
COMPOSE = ROOT / "ops" / "compose.yaml"
DOCKERFILE = ROOT / "ops" / "Dockerfile"
UNIT = ROOT / "ops" / "pyshare.service"
STOCK_COMPOSE = ROOT / "ops" / "compose.sharepython.yaml"
DEPLOYED = [CONFIG, COMPOSE, STOCK_COMPOSE, DOCKERFILE, UNIT]


def parsed_yaml(text: str) -> object:
    """Parse YAML with the parser that came with the tools, whichever it is."""
    names = [name for name in ("yaml", "yaml_ft") if importlib.util.find_spec(name) is not None]
    require("PyYAML", bool(names), "pip install pyyaml")
    value: object = importlib.import_module(names[0]).safe_load(text)
    return value


def mapping(value: object) -> dict[str, object]:
    assert isinstance(value, dict), value
    return {str(key): each for key, each in value.items()}


def words(value: object) -> list[str]:
    assert isinstance(value, list), value
    return [str(each) for each in value]


def seconds(text: object) -> float:
    """Read a time as compose files and HAProxy write it."""
    found = re.fullmatch(r"(\d+)(ms|s|m|h)", str(text))
    assert found is not None, text
    return int(found[1]) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[found[2]]


def services() -> dict[str, dict[str, object]]:
    """Return the services of the compose file by name."""
    found = mapping(mapping(parsed_yaml(COMPOSE.read_text(encoding="utf-8")))["services"])
    return {name: mapping(service) for name, service in found.items()}


def servers_of_compose() -> dict[str, dict[str, object]]:
    return {name: service for name, service in services().items() if service["image"] == "pyshare"}


def instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions, lines that go on put together."""
    lines = [line for line in DOCKERFILE.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    found = []
    for line in filter(None, joined.splitlines()):
        name, _, rest = line.partition(" ")
        found.append((name, rest.strip()))
    return found


def stages() -> list[list[tuple[str, str]]]:
    """Return the Dockerfile's instructions by stage."""
    found: list[list[tuple[str, str]]] = []
    for instruction in instructions():
        if instruction[0] == "FROM":
            found.append([])
        found[-1].append(instruction)
    return found


def only(stage: list[tuple[str, str]], name: str) -> str:
    """Return what the one instruction of this name says."""
    (rest,) = [rest for each, rest in stage if each == name]
    return rest


def unit() -> dict[str, list[str]]:
    """Return the unit's lines by key; no key is in two sections."""
    found: dict[str, list[str]] = {}
    for key, value in re.findall(r"^(\w+)=(.*)$", UNIT.read_text(encoding="utf-8"), flags=re.MULTILINE):
        found.setdefault(key, []).append(value)
    return found


def of_haproxy(directive: str) -> str:
    """Return the word that follows a directive of haproxy.cfg."""
    found = re.findall(rf"^[^#\n]*\b{directive} (\S+)", CONFIG.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len(found) == 1, f"{directive}: {found}"
    return str(found[0])


def all_of_haproxy(directive: str) -> list[str]:
    """Return each word that follows a directive of haproxy.cfg."""
    return re.findall(rf"^[^#\n]*\b{directive} (\S+)", CONFIG.read_text(encoding="utf-8"), flags=re.MULTILINE)


@pytest.mark.parametrize("path", DEPLOYED, ids=lambda path: path.name)
def test_every_variable_of_pyshare_in_a_file_is_a_setting(path: Path) -> None:
    known = {variable for setting in SETTINGS for variable in setting.variables}
    named = set(re.findall(r"\bPYSHARE_[A-Z0-9_]+", path.read_text(encoding="utf-8")))
    assert named <= known, f"{path.name} names {sorted(named - known)}"


def test_the_stock_set_up_gives_pyshare_the_stock_variables_and_no_other() -> None:
    found = mapping(mapping(parsed_yaml(STOCK_COMPOSE.read_text(encoding="utf-8")))["services"])
    environment = mapping(mapping(found["websocket"])["environment"])
    stock = {setting.shown.stock for setting in SETTINGS if setting.shown.stock}
    assert set(environment) == stock
    set_in_image = re.findall(r"\b(PYSHARE_\w+)=", DOCKERFILE.read_text(encoding="utf-8"))
    ours = {setting.variables[0] for setting in SETTINGS if setting.shown.stock}
    assert not ours & set(set_in_image), "ours would count before the stock one"


def test_every_variable_that_haproxy_reads_is_explained_in_its_file() -> None:
    text = CONFIG.read_text(encoding="utf-8")
    head, _, rest = text.partition("\nglobal\n")
    read = set(re.findall(r"\$\{(\w+)", rest)) | set(re.findall(r"defined\((\w+)\)", rest))
    assert {re.sub(r"^SERVER_[34]_.*", "SERVER_3_", name) for name in read} <= set(re.findall(r"[A-Z][A-Z0-9_]+", head))


def test_haproxy_expects_servers_where_they_listen() -> None:
    text = CONFIG.read_text(encoding="utf-8")
    settings = Settings()
    assert f"${{SERVER_1_HOST-{settings.host}}}:${{SERVER_1_PORT-{settings.port}}}" in text
    (http_port,) = [setting.default for setting in SETTINGS if setting.name == "http_port"]
    assert f"${{SERVER_1_HOST-{settings.host}}}:${{SERVER_1_HTTP_PORT-{http_port}}}" in text


def test_haproxy_sends_a_server_no_more_connections_than_it_takes() -> None:
    most, most_http = (int(each) for each in all_of_haproxy("default-server maxconn"))
    assert most <= Settings().connections
    assert most_http < Settings().http_connections
    for service in servers_of_compose().values():
        assert most <= int(str(mapping(service["environment"])["PYSHARE_CONNECTIONS"]))
        assert "PYSHARE_HTTP_CONNECTIONS" not in mapping(service["environment"])


def test_one_address_cannot_take_all_that_haproxy_sends_to_the_http_side_of_a_server() -> None:
    (of_one,) = set(re.findall(r"PROXY_ADDRESS_CONNECTIONS-(\d+)", CONFIG.read_text(encoding="utf-8")))
    assert int(of_one) < int(all_of_haproxy("default-server maxconn")[1])


def test_no_secret_has_a_default_that_everybody_can_read() -> None:
    text = COMPOSE.read_text(encoding="utf-8")
    for name in ("PYSHARE_SECRET", "REDIS_PASSWORD"):
        uses = re.findall(rf"\$\{{{name}(.*?)\}}", text)
        assert uses
        assert all(use.startswith(":?") for use in uses), uses


def test_servers_of_the_compose_file_believe_haproxy_wherever_its_container_is() -> None:
    for service in servers_of_compose().values():
        trusted = parse_networks(str(mapping(service["environment"])["PYSHARE_TRUSTED_PROXIES"]))
        # The networks from which container engines choose.
        for address in ("172.18.0.5", "192.168.16.3", "10.89.0.4", "fd00::3"):
            assert Address(address).is_in(trusted)
        assert not Address("203.0.113.1").is_in(trusted)


def test_prometheus_asks_servers_where_they_tell_their_metrics() -> None:
    text = (ROOT / "ops" / "prometheus" / "prometheus.yaml").read_text(encoding="utf-8")
    for http_port in (8889, 8891):
        assert f"- 127.0.0.1:{Settings(http_port=http_port).metrics_at}" in text


def test_haproxy_waits_for_silent_clients_longer_than_servers_do() -> None:
    assert seconds(of_haproxy("timeout tunnel")) > Settings().silence_seconds


def test_haproxy_takes_servers_out_within_its_promise_even_if_they_hang() -> None:
    each, again, check = (seconds(of_haproxy(name)) for name in (" inter", "fastinter", "timeout check"))
    # Just after a good check: the wait for the next, its time, a short wait, the time of the last.
    assert of_haproxy("fall") == "2"
    assert each + check + again + check < OUT_SECONDS


def test_haproxy_leaves_the_connections_of_a_server_that_is_out_alone() -> None:
    assert "on-marked-down" not in CONFIG.read_text(encoding="utf-8")


def test_haproxy_finds_every_server_of_the_compose_file() -> None:
    environment = mapping(services()["haproxy"]["environment"])
    told = [str(value) for name, value in environment.items() if re.fullmatch(r"SERVER_\d_HOST", name)]
    assert sorted(told) == sorted(servers_of_compose())
    assert len(told) >= 2
    image = dict(re.findall(r"(\w+)=(\S+)", only(stages()[-1], "ENV")))
    for number in range(1, len(told) + 1):
        assert environment[f"SERVER_{number}_PORT"] == str(Settings().port)
        assert environment[f"SERVER_{number}_HTTP_PORT"] == image["PYSHARE_HTTP_PORT"]


def test_the_compose_file_mounts_haproxys_configuration_read_only() -> None:
    (volume,) = words(services()["haproxy"]["volumes"])
    source, target, access = volume.split(":")
    assert (COMPOSE.parent / source).resolve() == CONFIG
    assert (target, access) == ("/usr/local/etc/haproxy/haproxy.cfg", "ro")


def test_only_haproxy_is_published_and_only_to_this_machine_unless_told() -> None:
    published = {name: words(service["ports"]) for name, service in services().items() if "ports" in service}
    assert published == {"haproxy": ["${PROXY_PUBLISH:-127.0.0.1:8080}:8080"]}


def test_every_service_has_a_health_check_a_restart_policy_and_a_grace_period() -> None:
    for name, service in services().items():
        assert mapping(service["healthcheck"])["test"], name
        assert service["restart"] == "unless-stopped", name
        assert seconds(service["stop_grace_period"]) > 0, name


def test_every_service_waits_for_the_health_of_those_it_depends_on() -> None:
    everyone = services()
    for service in everyone.values():
        for needed, how in mapping(service.get("depends_on", {})).items():
            assert needed in everyone
            assert mapping(how) == {"condition": "service_healthy"}
    assert set(mapping(everyone["haproxy"]["depends_on"])) == set(servers_of_compose())
    for service in servers_of_compose().values():
        assert set(mapping(service["depends_on"])) == {"redis"}


def test_redis_keeps_what_it_is_told_and_tells_of_expiry_and_deletion() -> None:
    redis = services()["redis"]
    command = words(redis["command"])
    options = dict(zip(command[1::2], command[2::2], strict=True))
    assert options["--appendonly"] == "yes"
    assert set(options["--notify-keyspace-events"]) >= set("Egx")
    (volume,) = words(redis["volumes"])
    name, _, target = volume.partition(":")
    assert target == "/data"
    assert name in mapping(mapping(parsed_yaml(COMPOSE.read_text(encoding="utf-8")))["volumes"])


def test_redis_and_servers_have_the_same_password() -> None:
    redis = services()["redis"]
    command = words(redis["command"])
    password = command[command.index("--requirepass") + 1]
    assert password.startswith("${REDIS_PASSWORD:")
    assert mapping(redis["environment"])["REDISCLI_AUTH"] == password
    for service in servers_of_compose().values():
        assert mapping(service["environment"])["PYSHARE_REDIS_PASSWORD"] == password


def test_whoever_stops_a_server_waits_longer_than_it_drains() -> None:
    drain = Settings().drain_seconds
    (unit_seconds,) = unit()["TimeoutStopSec"]
    assert float(unit_seconds) > drain
    for service in servers_of_compose().values():
        told = float(str(mapping(service["environment"])["PYSHARE_DRAIN_SECONDS"]))
        assert seconds(service["stop_grace_period"]) > max(told, drain)
    assert seconds(services()["haproxy"]["stop_grace_period"]) > seconds(of_haproxy("hard-stop-after"))


def test_the_open_files_allowed_are_enough_for_the_connections() -> None:
    # Others than connections: the program's own, the store's, some to spare.
    others = 1024
    (limit,) = unit()["LimitNOFILE"]
    assert int(limit) >= Settings().connections + others
    for service in servers_of_compose().values():
        connections = int(str(mapping(service["environment"])["PYSHARE_CONNECTIONS"]))
        assert int(str(mapping(service["ulimits"])["nofile"])) >= connections + others
    found = re.search(r"PROXY_MAXCONN-(\d+)", CONFIG.read_text(encoding="utf-8"))
    assert found is not None
    # HAProxy needs one for each side of a connection.
    assert int(str(mapping(services()["haproxy"]["ulimits"])["nofile"])) >= 2 * int(found[1]) + others


def test_the_compose_file_builds_the_image_from_the_projects_root() -> None:
    for service in servers_of_compose().values():
        build = mapping(service["build"])
        context = (COMPOSE.parent / str(build["context"])).resolve()
        assert context == ROOT
        assert context / str(build["dockerfile"]) == DOCKERFILE


def test_the_image_is_built_in_one_stage_and_run_in_another_without_the_tools() -> None:
    build, final = stages()
    assert only(build, "FROM") == f"{only(final, 'FROM')} AS build"
    assert only(final, "COPY").startswith("--from=build ")
    assert "-c ops/constraints.txt" in only(build, "RUN")
    assert not re.search(r"\b(pip|apt-get|gcc)\b", only(final, "RUN"))


def test_the_image_runs_pyshare_as_nobody_special_and_signals_reach_it() -> None:
    final = stages()[-1]
    assert only(final, "USER").split(":")[0] not in {"", "root", "0"}
    # The form without a shell, which would keep the signal to itself.
    command = json.loads(only(final, "ENTRYPOINT")) + json.loads(only(final, "CMD"))
    assert command == ["pyshare", "serve"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "pyshare" in project["project"]["scripts"]
    assert only(final, "STOPSIGNAL") == "SIGTERM"
    names = [name for name, _ in final]
    assert names.index("USER") > names.index("RUN")


def test_the_image_listens_to_other_machines_where_it_says_and_keeps_texts_in_its_volume() -> None:
    final = stages()[-1]
    environment = dict(re.findall(r"(\w+)=(\S+)", only(final, "ENV")))
    assert environment["PYSHARE_HOST"] == environment["PYSHARE_HTTP_HOST"] == "0.0.0.0"
    assert only(final, "EXPOSE").split() == [str(Settings().port), environment["PYSHARE_HTTP_PORT"]]
    assert environment["PYSHARE_DATA_FOLDER"] == only(final, "VOLUME")


def copied() -> list[str]:
    """Return what the image copies of the project."""
    return [
        source
        for name, rest in instructions()
        if name == "COPY" and not rest.startswith("--from=")
        for source in rest.split()[:-1]
    ]


def is_sent(path: str) -> bool:
    """Return whether a file of the project is part of the build context: the last pattern that fits it decides."""
    sent = True
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.removeprefix("!")
        if not line or line.startswith("#"):
            continue
        parts = path.split("/")
        places = ["/".join(parts[: count + 1]) for count in range(len(parts))]
        names = parts if pattern.startswith("**/") else places
        if any(fnmatch.fnmatchcase(name, pattern.removeprefix("**/")) for name in names):
            sent = line.startswith("!")
    return sent


def test_what_the_image_copies_is_there_and_is_sent_to_the_build() -> None:
    assert copied()
    for source in copied():
        path = ROOT / source
        assert path.exists(), source
        example = f"{source}/__init__.py" if path.is_dir() else source
        assert is_sent(example.removesuffix("/")), f".dockerignore leaves out {example}"


def test_the_build_is_sent_nothing_but_what_the_image_copies() -> None:
    unneeded = [".git/config", ".venv/bin/python", "tests/test_cli.py", "ops/run", "pyshare/core/x.pyc", "ops/.env"]
    assert [path for path in unneeded if is_sent(path)] == []


def test_what_the_wheel_is_made_of_is_copied() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    needed = {"pyproject.toml", project["project"]["readme"], *project["project"]["license-files"]}
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed |= {*wheel["packages"], wheel["hooks"]["custom"]["path"]}
    assert needed <= {source.removesuffix("/") for source in copied()}


async def exit_code_of(command: list[str], port: int) -> int:
    """Run a health check of a container against a server that listens there."""
    assert command[:2] == ["python", "-c"]
    # A proxy that the environment names must not be asked for what is on the same machine.
    environment = os.environ | {"PYSHARE_HTTP_PORT": str(port), "http_proxy": "http://127.0.0.1:1"}
    program = command[2].replace(":8889/", f":{port}/")
    with trio.fail_after(PATIENCE_SECONDS):
        done = await trio.run_process(
            [sys.executable, "-c", program], env=environment, check=False, capture_stdout=True, capture_stderr=True
        )
    return done.returncode


async def test_health_checks_of_containers_tell_ready_from_draining_from_dead() -> None:
    found = re.search(r"CMD (\[.*\])", only(stages()[-1], "HEALTHCHECK"))
    assert found is not None
    lives = words(json.loads(found[1]))
    checks = [words(mapping(service["healthcheck"])["test"]) for service in servers_of_compose().values()]
    assert all(check == checks[0] for check in checks)
    kind, *ready = checks[0]
    assert kind == "CMD"
    server = FakeServer("one")
    async with trio.open_nursery() as nursery:
        await nursery.start(server.run)
        assert [await exit_code_of(check, server.http_port) for check in (lives, ready)] == [0, 0]
        server.ready = False
        assert [await exit_code_of(check, server.http_port) for check in (lives, ready)] == [0, 1]
        server.kill()
    assert [await exit_code_of(check, server.http_port) for check in (lives, ready)] == [1, 1]


def systemd_analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze, of a version that can look at files without a running systemd."""
    path = shutil.which("systemd-analyze", path=SYSTEM_PATH)
    hint = "install systemd 250 or later; it need not run"
    require("systemd-analyze", path is not None, hint)
    assert path is not None

    def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)

    version = re.match(r"systemd (\d+)", run(path, "--version").stdout)
    require("systemd-analyze 250", version is not None and int(version[1]) >= 250, hint)
    return run(path, *arguments)


@pytest.fixture
def installed_unit(tmp_path: Path) -> Path:
    """The unit with a program that is there, as systemd wants it."""
    text = UNIT.read_text(encoding="utf-8")
    (command,) = unit()["ExecStart"]
    assert command == "/opt/pyshare/bin/pyshare serve"
    path = tmp_path / UNIT.name
    path.write_text(text.replace(command, f"{shutil.which('true')} serve"), encoding="utf-8")
    return path


def test_systemd_has_nothing_to_say_of_the_unit(installed_unit: Path) -> None:
    done = systemd_analyze("verify", "--man=no", installed_unit)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_unit_is_exposed_no_more_than_a_server_on_the_network_must_be(installed_unit: Path) -> None:
    # In tenths of systemd's scale from 0 to 10; a unit without any hardening has 96.
    done = systemd_analyze("security", "--offline=true", "--threshold=15", "--no-pager", installed_unit)
    assert done.returncode == 0, done.stdout


def test_the_unit_tells_pyshare_alone_to_stop_and_does_not_repeat_wrong_settings() -> None:
    lines = unit()
    assert lines["KillSignal"] == ["SIGTERM"]
    assert lines["KillMode"] == ["mixed"]
    assert lines["Restart"] == ["on-failure"]
    assert lines["RestartPreventExitStatus"] == ["2"]


def test_the_unit_keeps_texts_in_the_folder_that_systemd_makes_for_it() -> None:
    lines = unit()
    assert lines["StateDirectory"] == ["pyshare"]
    assert "PYSHARE_DATA_FOLDER=%S/pyshare" in lines["Environment"][0].split()
