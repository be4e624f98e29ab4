"""What is reached over a connection is reached by a process that reaches nothing else."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from builders.certs import Authority
from builders.cluster import EmulatedCluster, served
from builders.http import serving

from opsmith.backends.reach.doors import door
from opsmith.backends.reach.kubernetes_places import ClusterPlace
from opsmith.backends.reach.lines import CarriedLines
from opsmith.errors import BadInput, NotFound, Unreachable
from opsmith.nouns.entity import Entity
from opsmith.seams.wire import Access
from opsmith.wiring.carried_clusters import ClusterPlaces
from opsmith.wiring.carried_ways import CHECKS, CLUSTERS, CheckPlaces, SilencePlaces
from opsmith.wiring.carrier import LINE_COMMAND
from opsmith.wiring.check_shapes import HttpCheckShape

pytestmark = pytest.mark.needs_sandbox

CART = Entity.service("cart")
NOW = datetime(2026, 1, 10, tzinfo=UTC)

# What a carrier whose client was taken over might try, each told with what came of it.
TAKEN = """
import _socket, ctypes, json, os, socket, subprocess, sys
from opsmith.backends.reach.doors import ask_at, stand_in
from opsmith.backends.sandbox import landlock
from opsmith.backends.sandbox.enclose import enclose_line
handle, own, other, secret, outside = (json.loads(one) for one in sys.argv[1:])
stand_in()
ask_at(handle)
folders = ["/usr", "/lib", "/lib64", sys.prefix, sys.base_prefix]
seen = [one for one in folders if os.path.exists(one)]
held = enclose_line(seen=seen, secrets=[secret], changed=[])
libc = ctypes.CDLL(None, use_errno=True)

def tried(what):
    try:
        return f"did: {what()!r}"
    except (OSError, ValueError) as error:
        return f"failed: {error.__class__.__name__}"

def asked(place):
    with socket.create_connection(tuple(place)) as line:
        return line.recv(5)

def called(made):
    if made < 0:
        raise OSError(ctypes.get_errno())
    return made

def no_line(family):
    return _socket.socket(family, socket.SOCK_STREAM)

told = {
    "own": tried(lambda: asked(own)),
    "secret": tried(lambda: open(secret).read()),
    "another port": tried(lambda: asked(other)),
    "a socket of the host": tried(lambda: socket.socket(socket.AF_UNIX).connect("/run/any.sock")),
    "a name": tried(lambda: asked(["example.com", 80])),
    "tcp": tried(lambda: no_line(socket.AF_INET)),
    "unix": tried(lambda: no_line(socket.AF_UNIX)),
    "netlink": tried(lambda: no_line(socket.AF_NETLINK)),
    "shadow": tried(lambda: open("/etc/shadow").read()),
    "a file": tried(lambda: open(outside).read()),
    "its parent": tried(lambda: open(f"/proc/{os.getppid()}/environ").read()),
    "write": tried(lambda: open(outside, "w").write("owned")),
    "write the secret": tried(lambda: open(secret, "w").write("owned")),
    "a new file": tried(lambda: open("/tmp/opsmith.new", "w")),
    "a program": tried(lambda: subprocess.run(["/bin/true"])),
    "become one": tried(lambda: os.execv("/bin/true", ["true"])),
    "trace": tried(lambda: called(libc.ptrace(16, os.getppid(), 0, 0))),
    "mount": tried(lambda: called(libc.mount(b"none", b"/mnt", b"tmpfs", 0, None))),
    "spaces": tried(lambda: called(libc.unshare(0x10000000))),
    "another user": tried(lambda: os.setuid(1234)),
    "mode": tried(lambda: os.chmod(outside, 0o777)),
}
if landlock.version() >= 6:
    told["signal"] = tried(lambda: os.kill(os.getppid(), 0))
print(json.dumps({**told, "held": held}))
"""


def greeting() -> socket.socket:
    """Says hello to whoever connects."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                line, _ = server.accept()
            except OSError:
                return
            with line:
                line.sendall(b"hello")

    threading.Thread(target=serve, daemon=True).start()
    return server


async def test_a_carrier_that_is_taken_over_reaches_its_one_place_and_no_more(
    tmp_path: Path,
) -> None:
    secret, outside = tmp_path / "token", tmp_path / "outside"
    secret.write_text("s3cret")
    outside.write_text("untouched")
    outside.chmod(0o600)
    with greeting() as own, greeting() as other:
        places = own.getsockname(), other.getsockname()
        async with door([places[0]]) as handle:
            words = map(json.dumps, (handle, *places, str(secret), str(outside)))
            done = await asyncio.to_thread(
                subprocess.run,
                [sys.executable, "-c", TAKEN, *words],
                capture_output=True,
                text=True,
                check=True,
                pass_fds=(handle,),
            )

    told = json.loads(done.stdout)
    held = told.pop("held")
    assert told.pop("own") == "did: b'hello'"
    assert told.pop("secret") == "did: 's3cret'"
    assert any("Landlock" in one or "namespaces" in one for one in held)
    assert {name: said for name, said in told.items() if not said.startswith("failed")} == {}
    assert (outside.read_text(), secret.read_text()) == ("untouched", "s3cret")
    assert outside.stat().st_mode & 0o777 == 0o600


def checks(url: str, **fields: object) -> CarriedLines:
    shape = HttpCheckShape.model_validate({"url": url, **fields})
    places = CheckPlaces({CART: {"health": shape}})
    return CarriedLines(CHECKS, places, clock=lambda: NOW, command=LINE_COMMAND)


def guarded(path: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
    ready = path == "/healthz" and headers.get("Authorization") == "Bearer s3cret"
    return (200, b"ready") if ready else (401, b"")


async def test_a_carrier_reads_the_secrets_and_certificates_of_its_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    (tmp_path / "token").write_text("s3cret\n")
    (tmp_path / "token").chmod(0o600)
    if os.geteuid() == 0:
        os.chown(tmp_path / "token", 1234, 1234)
    monkeypatch.chdir(tmp_path)
    with serving(guarded, tls=authority.issue("server")) as url:
        way = checks(
            f"{url}/healthz", text="ready", token_file="token", tls={"ca_file": authority.ca}
        )
        found = await way.look(CART, "http.check", {})
        reply = await way.send(CART, "http.check", {"check": "health"}, deadline_s=10)
        again = await way.send(CART, "http.check", {"check": "health"}, deadline_s=10)
        await way.aclose()

    assert "gives 200 with 'ready'" in str(found.facts["says"])
    assert (reply.facts["status"], again.facts["status"]) == (200, 200)


async def test_what_goes_wrong_is_told_as_it_is() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    way = checks(f"http://127.0.0.1:{port}/")

    with pytest.raises(Unreachable):
        await way.send(CART, "http.check", {"check": "health"}, deadline_s=10)
    with pytest.raises(NotFound, match="no check 'other'"):
        await way.look(CART, "http.check", {"check": "other"})
    await way.aclose()


async def test_opsmith_asks_for_the_token_of_a_cluster_and_the_carrier_uses_it(
    tmp_path: Path,
) -> None:
    emulated = EmulatedCluster()
    emulated.workload("deployments", "cart", ["cart:1"])
    with served(emulated, tmp_path) as kubeconfig:
        told = yaml.safe_load(kubeconfig.read_text())
        said = {
            "apiVersion": "client.authentication.k8s.io/v1",
            "kind": "ExecCredential",
            "status": {"token": told["users"][0]["user"]["token"]},
        }
        told["users"][0]["user"] = {
            "exec": {
                "apiVersion": said["apiVersion"],
                "command": "echo",
                "args": [json.dumps(said)],
                "interactiveMode": "Never",
            }
        }
        kubeconfig.write_text(yaml.safe_dump(told))
        places = ClusterPlaces(
            clusters={"test": ClusterPlace(kubeconfig=kubeconfig, namespaces=("shop",))},
            places={},
            patches=tmp_path / "patches",
        )
        way = CarriedLines(CLUSTERS, places, clock=lambda: NOW, command=LINE_COMMAND)

        found = await way.look(CART, "kubernetes.scale", {"replicas": 5})
        await way.send(CART, "kubernetes.scale", {"replicas": 5}, deadline_s=20)
        after = await way.look(CART, "kubernetes.scale", {"replicas": 5})
        with pytest.raises(NotFound):
            await way.look(Entity.service("none"), "kubernetes.scale", {"replicas": 5})
        await way.aclose()

    assert found.version != after.version


@pytest.mark.parametrize(
    "command",
    [("/bin/false",), (sys.executable, "-c", "import os, sys; os.read(int(sys.argv[2]), 1)")],
)
async def test_a_carrier_that_dies_is_a_failure_and_no_wait(command: tuple[str, ...]) -> None:
    places = SilencePlaces({CART: {"service": "cart"}}, Access(url="http://127.0.0.1:1"))
    way = CarriedLines("silences", places, clock=lambda: NOW, command=command)

    with pytest.raises(Unreachable):
        await way.look(CART, "alert.silence", {})
    await way.aclose()


def test_an_address_that_is_none_is_refused_before_anything_is_asked() -> None:
    for url in ("http://[", "http://a:99999/"):
        with pytest.raises(BadInput, match="no http"):
            checks(url)
