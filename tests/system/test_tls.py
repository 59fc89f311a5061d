"""TLS in front of a real server: HAProxy, nginx and Caddy with the configurations that docs/tls.md names."""

import os
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import trio

from tests.haproxy import SYSTEM_PATH
from tests.programs import require
from tests.system.server import PATIENCE_SECONDS, ROOT, end, running
from tests.system.test_doors import HANDSHAKE

PROXIES = ROOT / "ops" / "proxies"
NAME = "pad.example.org"
#: The address of the client, which is neither the proxy's nor what it writes into a header of its own.
CLIENT = "127.0.0.5"
FORGED = "203.0.113.9"


@dataclass(frozen=True)
class Place:
    """The ports and files of one proxy."""

    folder: Path
    http: int
    https: int
    #: The server's ports.
    ws: int
    page: int

    def configuration(self, name: str, text: str) -> Path:
        """Write a configuration, with free ports and this folder in place of those of a real machine."""
        for real, ours in (
            (f"/etc/letsencrypt/live/{NAME}/fullchain.pem", f"{self.folder}/certificate.pem"),
            (f"/etc/letsencrypt/live/{NAME}/privkey.pem", f"{self.folder}/key.pem"),
            ("/etc/haproxy/pyshare.pem", f"{self.folder}/both.pem"),
            ("/var/log/nginx", str(self.folder)),
            ("127.0.0.1:8889", f"127.0.0.1:{self.page}"),
            (NAME, "localhost"),
        ):
            text = text.replace(real, ours)
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path


def haproxy(place: Place) -> list[str]:
    text = (ROOT / "haproxy.cfg").read_text(encoding="utf-8")
    begin, found, rest = text.partition("    # TLS, with PROXY_BIND=:80")
    assert found
    options, blank, rest = rest.partition("\n\n")
    taken = re.sub(r"^( *)## ", r"\1", options, flags=re.MULTILINE).replace(":443", f"127.0.0.1:{place.https}")
    return ["haproxy", "-db", "-f", str(place.configuration("haproxy.cfg", begin + "    #" + taken + blank + rest))]


def nginx(place: Place) -> list[str]:
    text = (PROXIES / "nginx.conf").read_text(encoding="utf-8")
    text = re.sub(r"^ *listen \[::\].*\n", "", text, flags=re.MULTILINE)
    text = text.replace("listen 80;", f"listen 127.0.0.1:{place.http};")
    text = text.replace("listen 443 ssl;", f"listen 127.0.0.1:{place.https} ssl;")
    site = place.configuration("pyshare.conf", text)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    folders = "".join(f"{kind}_temp_path {place.folder}/{kind};" for kind in kinds)
    user = "user root;" if os.getuid() == 0 else ""
    whole = (
        f"{user} daemon off; pid {place.folder}/pid; worker_processes 1; error_log {place.folder}/nginx-error.log;"
        f"events {{ worker_connections 256; }} http {{ access_log off; {folders} include {site}; }}"
    )
    main = place.folder / "nginx.conf"
    main.write_text(whole, encoding="utf-8")
    return ["nginx", "-c", str(main)]


def caddy(place: Place) -> list[str]:
    text = (PROXIES / "Caddyfile").read_text(encoding="utf-8")
    own = f"admin off\n\tdefault_bind 127.0.0.1\n\thttp_port {place.http}\n\thttps_port {place.https}\n"
    text = text.replace("{\n\t#", "{\n\t" + own + "\t#", 1)
    # A certificate of its own, where a real one asks an authority.
    pair = f"{place.folder}/certificate.pem {place.folder}/key.pem"
    text = text.replace(f"{NAME} {{\n", f"{NAME} {{\n\ttls {pair}\n", 1)
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(place.configuration("Caddyfile", text))]


COMMANDS: dict[str, Callable[[Place], list[str]]] = {"haproxy": haproxy, "nginx": nginx, "caddy": caddy}


@asynccontextmanager
async def fronted(place: Place, kind: str) -> AsyncIterator[None]:
    """Run a proxy until the context is left; what it prints is in a file of the folder."""
    command = COMMANDS[kind](place)
    path = os.pathsep.join((os.environ["PATH"], SYSTEM_PATH))
    found = shutil.which(command[0], path=path)
    require(kind, found is not None, f"apt-get install {kind}")
    assert found is not None
    # HAProxy is told the rest by variables.
    environment = {
        "PATH": path,
        "HOME": str(place.folder),
        "PROXY_BIND": f"127.0.0.1:{place.http}",
        "SERVER_1_PORT": str(place.ws),
        "SERVER_1_HTTP_PORT": str(place.page),
    }
    with (place.folder / "printed.log").open("wb") as log:
        process = await trio.lowlevel.open_process(
            [found, *command[1:]], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
        )
    try:
        yield
    finally:
        with trio.move_on_after(PATIENCE_SECONDS, shield=True):
            process.terminate()
            with trio.move_on_after(5):
                await process.wait()
            await end(process)


@pytest.fixture
async def certificate(tmp_path: Path) -> ssl.SSLContext:
    """Make a certificate for localhost in the folder; return what trusts it."""
    files = ("-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "certificate.pem"))
    subject = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    make = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    await trio.run_process([*make, *files, *subject], capture_stderr=True)
    both = "".join((tmp_path / f"{name}.pem").read_text(encoding="utf-8") for name in ("certificate", "key"))
    (tmp_path / "both.pem").write_text(both, encoding="utf-8")
    return ssl.create_default_context(cafile=str(tmp_path / "certificate.pem"))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


async def joined(place: Place, trust: ssl.SSLContext, token: str) -> bytes:
    """Open a WebSocket through the proxy, as a client that would like to be another; return the first answer."""
    tcp = await trio.open_tcp_stream("127.0.0.1", place.https, local_address=CLIENT)
    async with trio.SSLStream(tcp, trust, server_hostname="localhost", https_compatible=True) as stream:
        host = f"Host: localhost:{place.https}\r\nX-Forwarded-For: {FORGED}"
        request = HANDSHAKE.replace("Host: pyshare.example", host).format(path=f"/codespace/{token}/")
        await stream.send_all(request.encode())
        return bytes(await stream.receive_some())


@pytest.mark.parametrize("kind", COMMANDS)
async def test_a_proxy_with_tls_serves_page_and_websockets_names_clients_and_writes_no_token_into_logs(
    kind: str, certificate: ssl.SSLContext, tmp_path: Path
) -> None:
    with trio.fail_after(2 * PATIENCE_SECONDS):
        async with running("--forwarded-for", "on", "--connections-per-address", "50") as server:
            ports = (server.host_and_port[1], await server.wait_http_port())
            place = Place(tmp_path, free_port(), free_port(), *ports)
            async with (
                fronted(place, kind),
                httpx.AsyncClient(verify=certificate, trust_env=False, timeout=PATIENCE_SECONDS) as client,
            ):
                plain, secure = f"http://localhost:{place.http}", f"https://localhost:{place.https}"
                await wait_served(client, f"{secure}/readyz")
                redirect = await client.get(f"{plain}/some/where?x=1")
                page = await client.get(f"{secure}/")
                metrics = await client.get(f"{secure}/metrics")
                made = await client.post(f"{secure}/codespaces", json={"text": "\u5b57" * 450_000})
                token = made.json()["edit"]["token"]
                answer = await joined(place, certificate, token)
                await server.wait_logged("joined")
                (line,) = (line for line in server.log if line["event"] == "joined")
                server.process.terminate()
                await server.wait()
                away = await client.get(f"{secure}/codespaces/{token}/text")
    assert redirect.status_code in {301, 308}
    assert re.fullmatch(r"https://localhost(:\d+)?/some/where\?x=1", redirect.headers["location"])
    assert page.status_code == 200
    assert "<title>" in page.text
    assert "max-age=31536000" in page.headers["strict-transport-security"]
    assert metrics.status_code == 404
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert str(line["remote"]).partition(":")[0] == CLIENT
    assert away.status_code in {502, 503}
    assert named_in_logs(tmp_path, "GET")
    assert named_in_logs(tmp_path, token) == []


def named_in_logs(folder: Path, word: str) -> list[str]:
    """Return the log files of a folder that have a word."""
    return [path.name for path in folder.glob("*.log") if word in path.read_text(encoding="utf-8")]


async def wait_served(client: httpx.AsyncClient, address: str) -> None:
    """Wait until a proxy passes requests on to a server."""
    while True:
        try:
            if (await client.get(address)).status_code == 200:
                return
        except httpx.TransportError:
            # It does not listen yet.
            await trio.sleep(0.05)
        await trio.sleep(0.05)


def test_traefik_hands_all_to_the_port_that_takes_websockets_too() -> None:
    text = (PROXIES / "traefik.yaml").read_text(encoding="utf-8")
    assert "url: http://127.0.0.1:8889" in text
    assert f"Host(`{NAME}`)" in text
    assert "stsSeconds: 31536000" in text


@pytest.mark.parametrize("path", sorted(PROXIES.iterdir()), ids=lambda path: path.name)
def test_a_configuration_says_that_the_server_is_to_take_the_client_from_the_proxy(path: Path) -> None:
    head = path.read_text(encoding="utf-8").partition("\n\n")[0].replace("\n#", "")
    assert "--forwarded-for on" in head
