"""Real SSH servers on free loopback ports, with keys of their own."""

from __future__ import annotations

import getpass
import os
import shlex
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from opsmith_lab.components import find

from opsmith.backends.reach.ssh import SshHost
from promises.real_prometheus import PATIENCE_S, free_port

# As root, sshd wants a user `sshd`, a folder below /run and an account that is not locked; it
# sees them in a mount namespace of its own, and the machine stays as it is.
AS_ROOT = """
mount --bind {passwd} /etc/passwd && mount --bind {shadow} /etc/shadow &&
mount -t tmpfs none /run && mkdir -m 755 /run/sshd && exec {sshd}
"""


@contextmanager
def ssh_hosts(folder: Path, count: int = 1, path: Path | None = None) -> Iterator[list[SshHost]]:
    """So many servers; path: a folder whose programs the commands find first."""
    for name in ("host", "user"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True
        )
    (folder / "passwd").write_text(
        Path("/etc/passwd").read_text() + "sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin\n"
    )
    (folder / "shadow").write_text("root:*:19000::::::\nsshd:*:19000::::::\n")
    with ExitStack() as stack:
        ports = [stack.enter_context(_server(folder, path)) for _ in range(count)]
        key = (folder / "host.pub").read_text()
        known = folder / "known_hosts"
        known.write_text("".join(f"[127.0.0.1]:{port} {key}" for port in ports))
        yield [
            SshHost(
                address="127.0.0.1",
                port=port,
                user=getpass.getuser(),
                key_file=folder / "user",
                known_hosts=known,
            )
            for port in ports
        ]


@contextmanager
def _server(folder: Path, path: Path | None) -> Iterator[int]:
    port = free_port()
    config = folder / f"sshd-{port}"
    config.write_text(
        f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {folder / 'host'}\n"
        f"AuthorizedKeysFile {folder / 'user.pub'}\nStrictModes no\nUsePAM no\nPidFile none\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\n"
        + (f"SetEnv PATH={path}:/usr/bin:/bin\n" if path else "")
    )
    words = [str(find("sshd")), "-D", "-e", "-f", str(config)]
    if os.geteuid() == 0:
        script = AS_ROOT.format(
            passwd=folder / "passwd", shadow=folder / "shadow", sshd=shlex.join(words)
        )
        words = ["unshare", "--mount", "sh", "-c", script]
    with (folder / f"log-{port}").open("wb") as log:
        server = subprocess.Popen(words, stdout=log, stderr=log)
    try:
        _until_it_listens(port)
        yield port
    finally:
        server.terminate()
        server.wait(timeout=PATIENCE_S)


def _until_it_listens(port: int) -> None:
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            assert time.monotonic() < end, "sshd does not start"
            time.sleep(0.02)
        else:
            return
