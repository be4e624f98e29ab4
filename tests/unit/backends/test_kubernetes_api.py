"""The cluster's API: found from inside a pod or by a kubeconfig, and answers that are none."""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from builders.certs import Authority
from builders.cluster import kubeconfig
from kubernetes.config import incluster_config

from opsmith.backends.reach.kubernetes_api import POD, ClusterApi
from opsmith.backends.reach.kubernetes_objects import WORKLOADS
from opsmith.errors import BadAnswer, BadInput, NotFound, OpsmithError, Unreachable

DEPLOYMENT = WORKLOADS["deployment"]


@contextmanager
def answering(
    status: int, content: bytes, *, tls: tuple[Path, Path] | None = None, to: str = ""
) -> Iterator[tuple[int, list[str]]]:
    """A server with one answer for all: (its port, the tokens that it was shown)."""
    shown: list[str] = []

    class Asked(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            shown.append(self.headers.get("Authorization", ""))
            self.send_response(status)
            if to:
                self.send_header("Location", to)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Asked)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_address[1], shown
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


async def test_inside_a_pod_its_account_is_used_over_tls_and_its_token_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    token = tmp_path / "token"
    token.write_text("first")
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(authority.ca))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    refusal = json.dumps({"kind": "Status", "message": "Unauthorized"}).encode()

    with answering(401, refusal, tls=authority.issue("server")) as (port, shown):
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(port))
        api = ClusterApi(None)
        with pytest.raises(BadInput, match="does not know the account"):
            await api.get(DEPLOYMENT, "shop", "cart")
        token.write_text("second")
        with pytest.raises(BadInput, match="does not know the account"):
            await api.get(DEPLOYMENT, "shop", "cart")
        await api.aclose()

    assert [one.lower() for one in shown] == ["bearer first"] * 3 + ["bearer second"]


async def test_a_server_that_another_authority_vouches_for_is_not_spoken_to(
    tmp_path: Path,
) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "own").mkdir()
    stranger, own = Authority(tmp_path / "other"), Authority(tmp_path / "own")
    with answering(200, b"{}", tls=stranger.issue("server")) as (port, shown):
        file = kubeconfig(tmp_path, f"https://127.0.0.1:{port}", "t0ken")
        told = file.read_text().replace(
            f"server: https://127.0.0.1:{port}",
            f"server: https://127.0.0.1:{port}\n    certificate-authority: {own.ca}",
        )
        file.write_text(told)
        with pytest.raises(Unreachable, match="did not answer"):
            await ClusterApi(file).get(DEPLOYMENT, "shop", "cart")

    assert shown == []


@pytest.mark.parametrize(
    ("status", "content", "error", "says"),
    [
        (200, b"<html>", BadAnswer, "no JSON"),
        (200, b"[]", BadAnswer, "what it cannot be"),
        (404, b"{}", NotFound, "has no Deployment cart"),
        (422, b'{"message": "must be\\n 1"}', BadInput, "does not take this .*: must be 1"),
        (500, b"oops", Unreachable, "HTTP 500.*gives no reason"),
        (503, b"{}", Unreachable, "cannot do it now"),
        (418, b"{}", BadAnswer, "failed at Deployment cart"),
        (403, b'{"message": "password=hunter2secret"}', BadInput, "HTTP 403"),
    ],
)
async def test_answers_that_are_none_are_told_apart(
    status: int, content: bytes, error: type[OpsmithError], says: str, tmp_path: Path
) -> None:
    with answering(status, content) as (port, _):
        api = ClusterApi(kubeconfig(tmp_path, f"http://127.0.0.1:{port}", "t0ken"))
        with pytest.raises(error, match=says) as caught:
            await api.get(DEPLOYMENT, "shop", "cart")
        await api.aclose()

    assert "hunter2secret" not in str(caught.value)


async def test_nobody_is_followed_to_another_server(tmp_path: Path) -> None:
    with answering(200, b"{}") as (elsewhere, shown):
        to = f"http://127.0.0.1:{elsewhere}/"
        with answering(302, b"{}", to=to) as (port, _):
            api = ClusterApi(kubeconfig(tmp_path, f"http://127.0.0.1:{port}", "t0ken"))
            with pytest.raises(BadAnswer, match="HTTP 302"):
                await api.get(DEPLOYMENT, "shop", "cart")
            await api.aclose()

    assert shown == []


async def test_a_list_without_an_end_is_none(tmp_path: Path) -> None:
    endless = json.dumps({"metadata": {"continue": "x"}, "items": []}).encode()
    with answering(200, endless) as (port, _):
        api = ClusterApi(kubeconfig(tmp_path, f"http://127.0.0.1:{port}", "t0ken"))
        with pytest.raises(BadAnswer, match="more than 40 pages"):
            await api.listed(POD)
        await api.aclose()


async def test_a_kubeconfig_that_is_none_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    file = kubeconfig(tmp_path, "http://127.0.0.1:1", "t0ken")

    for api, says in (
        (ClusterApi(tmp_path / "none"), "No cluster is known by .*none"),
        (ClusterApi(file, context="elsewhere"), "No cluster is known"),
        (ClusterApi(None), "the pod's own account"),
    ):
        with pytest.raises(BadInput, match=says):
            await api.get(DEPLOYMENT, "shop", "cart")
