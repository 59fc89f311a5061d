"""Links over HTTP on a real server, and clients that join by them at the HTTP port."""

import httpx
import pytest
import trio
from prometheus_client.parser import text_string_to_metric_families

from pyshare.client import CodespaceClosed, connect
from tests.system.server import PATIENCE_SECONDS, RunningServer, running


async def make(server: RunningServer, **body: object) -> tuple[str, dict[str, str]]:
    """Make a codespace; return the HTTP address and the tokens."""
    address = f"http://127.0.0.1:{await server.wait_http_port()}"
    async with httpx.AsyncClient(base_url=address) as client:
        answer = await client.post("/codespaces", json=body)
    made = answer.json()
    return address, {mode: made[mode]["token"] for mode in ("edit", "view_only")}


async def test_one_writes_by_a_link_another_looks_and_a_third_reads_the_text() -> None:
    with trio.fail_after(PATIENCE_SECONDS):
        async with running() as server:
            address, tokens = await make(server, text="begun\n")
            # Links to the page, at the port of the page.
            async with (
                connect(f"{address}/#{tokens['edit']}/python", name="writer") as writer,
                connect(f"{address}/#{tokens['view_only']}", name="viewer") as viewer,
            ):
                assert (writer.mode, viewer.mode) == ("edit", "view_only")
                assert writer.text == viewer.text == "begun\n"
                writer.insert(len(writer.text), "done")
                await writer.wait_confirmed()
                await viewer.wait_version(writer.version)
                assert viewer.text == "begun\ndone"
            async with httpx.AsyncClient(base_url=address) as client:
                assert (await client.get(f"/codespaces/{tokens['view_only']}/text")).text == "begun\ndone"


async def test_a_link_that_expires_ends_a_connection_and_admits_nobody_afterwards() -> None:
    with trio.fail_after(PATIENCE_SECONDS):
        async with running() as server:
            address, tokens = await make(server, expires_in=4)
            async with connect(f"{address}/#{tokens['edit']}") as codespace:
                with pytest.raises(CodespaceClosed) as caught:
                    await codespace.wait_version(100)
            assert caught.value.code == 4410
            with pytest.raises(CodespaceClosed) as caught:
                async with connect(f"{address}/#{tokens['edit']}"):
                    pytest.fail("it was let in")
            assert caught.value.code == 4410


async def test_links_of_one_worker_are_good_at_another_and_metrics_are_those_of_all(tmp_path: object) -> None:
    with trio.fail_after(PATIENCE_SECONDS):
        async with running("--data-folder", str(tmp_path), "--workers", "2") as server:
            await server.wait_logged("serving", times=2)
            serving = [line for line in server.log if line["event"] == "serving"]
            address = f"http://{serving[0]['http']}"
            async with httpx.AsyncClient(base_url=address) as client:
                answers = [(await client.post("/codespaces", json={})).json()["edit"]["token"] for _ in range(4)]
                for token in answers:
                    async with connect(f"{address}/#{token}") as codespace:
                        codespace.insert(0, "x")
                        await codespace.wait_confirmed()
                text = (await client.get(f"http://127.0.0.1:{await server.wait_metrics_port()}/metrics")).text
            found = {
                sample.labels["worker"]: sample.value
                for family in text_string_to_metric_families(text)
                for sample in family.samples
                if sample.name == "pyshare_updates_total"
            }
    assert set(found) == {"1", "2"}
    assert sum(found.values()) == 4


async def test_with_an_api_there_is_no_page_and_nobody_makes_codespaces_here() -> None:
    async with running("--api-base-url", "http://127.0.0.1:9/") as server:
        address = f"http://127.0.0.1:{await server.wait_http_port()}"
        async with httpx.AsyncClient(base_url=address) as client:
            for path in ("/", "/codespaces/x/text", "/assets/icon.svg"):
                assert (await client.get(path)).status_code == 404
            assert (await client.post("/codespaces", json={})).status_code == 404
            for path in ("/healthz", "/readyz"):
                assert (await client.get(path)).status_code == 200


async def test_metrics_are_at_an_address_of_their_own_and_at_no_other() -> None:
    async with running() as server, httpx.AsyncClient() as client:
        public = f"http://127.0.0.1:{await server.wait_http_port()}"
        for path in ("/metrics", "/%6Detrics", "/%6detrics?x", "//metrics"):
            assert (await client.get(public + path)).status_code == 404
        own = f"http://127.0.0.1:{await server.wait_metrics_port()}"
        for path in ("/metrics", "/healthz", "/readyz"):
            assert (await client.get(own + path)).status_code == 200
        # There the operator is told which are open, and nobody makes any.
        assert (await client.post(f"{own}/codespaces")).status_code == 405
