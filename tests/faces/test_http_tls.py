"""`opsmith up` beyond loopback: with a certificate of ours, and callers that show theirs."""

import os
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from builders.certs import Authority
from click.testing import CliRunner

from opsmith.cli.main import opsmith
from tests.promises.real_prometheus import free_port


@contextmanager
def up(folder: Path, **environ: str) -> Iterator[int]:
    """`opsmith up` on all addresses, as a program of its own."""
    port = free_port()
    words = [sys.executable, "-m", "opsmith", "up", "--listen", f"0.0.0.0:{port}"]
    known = {**os.environ, "OPSMITH_DATA_DIR": str(folder / "data"), **environ}
    with subprocess.Popen(words, env=known, stderr=subprocess.PIPE) as process:
        try:
            yield port
        finally:
            process.terminate()


def context(authority: Authority, *shown: Path) -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=authority.ca)
    if shown:
        made.load_cert_chain(*shown)
    return made


def asked(port: int, verify: ssl.SSLContext) -> int:
    """The status of `/v1/alerts` once the server listens."""
    deadline = time.monotonic() + 30
    while True:
        try:
            with httpx.Client(verify=verify) as client:
                return client.get(f"https://127.0.0.1:{port}/v1/alerts").status_code
        except httpx.ConnectError as error:
            if "refused" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def test_a_caller_with_a_certificate_comes_in_and_another_does_not(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    cert, key = authority.issue("server")
    mine = authority.issue("client")
    (tmp_path / "other").mkdir()
    foreign = Authority(tmp_path / "other", "another ca").issue("client")
    tls = {
        "OPSMITH_TLS_CERT_FILE": str(cert),
        "OPSMITH_TLS_KEY_FILE": str(key),
        "OPSMITH_TLS_CLIENT_CA_FILE": str(authority.ca),
    }

    with up(tmp_path, **tls) as port:
        assert asked(port, context(authority, *mine)) == 200
        for shown in ((), foreign):
            with pytest.raises((httpx.TransportError, ssl.SSLError)):
                asked(port, context(authority, *shown))


def test_a_key_is_asked_for_under_tls_too(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    cert, key = authority.issue("server")
    tls = {"OPSMITH_TLS_CERT_FILE": str(cert), "OPSMITH_TLS_KEY_FILE": str(key)}

    with up(tmp_path, OPSMITH_KEY="word", **tls) as port:
        assert asked(port, context(authority)) == 401


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "OPSMITH_TLS_CLIENT_CA_FILE"),
        ({"CERT": "server.pem", "KEY": "server.key"}, "callers need show nothing"),
        ({"CERT": "server.pem", "CLIENT_CA": "ca.pem"}, "belong together"),
        ({"CLIENT_CA": "ca.pem"}, "needs OPSMITH_TLS_CERT_FILE"),
        ({"CERT": "none", "KEY": "server.key", "CLIENT_CA": "ca.pem"}, "no such file"),
        ({"CERT": "server.key", "KEY": "server.pem", "CLIENT_CA": "ca.pem"}, "no certificate"),
        ({"CERT": "server.pem", "KEY": "server.key", "CLIENT_CA": "server.key"}, "no CA"),
    ],
)
def test_what_would_leave_the_door_open_is_refused_before_it_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], said: str
) -> None:
    Authority(tmp_path).issue("server")
    monkeypatch.setenv("OPSMITH_DATA_DIR", str(tmp_path / "data"))
    for name, file in files.items():
        monkeypatch.setenv(f"OPSMITH_TLS_{name}_FILE", str(tmp_path / file))

    done = CliRunner().invoke(opsmith, ["up", "--listen", "0.0.0.0:0"])

    assert done.exit_code == 2
    assert said in done.stderr
