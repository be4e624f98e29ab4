"""A real Prometheus behind mTLS and a password is asked as the sources file says."""

import subprocess
from collections.abc import Iterator
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from builders.certs import Authority

from opsmith.errors import BadInput, OpsmithError, Unreachable
from opsmith.settings import Settings
from opsmith.wiring.sources import open_metrics, probes
from tests.promises.real_prometheus import free_port, started

pytestmark = [pytest.mark.needs_prometheus, pytest.mark.slow]

NOW = datetime.now(UTC)
# bcrypt of `word`, at the least cost.
HASHED = "$2b$04$9Xv3Bl7BK/g3NXgzzMApSuJQ08BhXEl6S6A7nAExqVUcjO7WncNg2"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[dict[str, object]]:
    """The source of a Prometheus that wants our certificate and our password."""
    authority = Authority(tmp_path)
    cert, key = authority.issue("server")
    mine, my_key = authority.issue("client")
    guard = tmp_path / "web.yml"
    tls = {
        "cert_file": str(cert),
        "key_file": str(key),
        "client_ca_file": str(authority.ca),
        "client_auth_type": "RequireAndVerifyClientCert",
    }
    guard.write_text(
        yaml.safe_dump({"tls_server_config": tls, "basic_auth_users": {"ann": HASHED}})
    )
    (tmp_path / "password").write_text("word\n")
    port = free_port()
    running = started(tmp_path, tmp_path / "data", port, f"--web.config.file={guard}")
    yield {
        "name": "guarded",
        "url": f"https://127.0.0.1:{port}",
        "user": "ann",
        "password_file": str(tmp_path / "password"),
        "tls": {"ca_file": str(authority.ca), "cert_file": str(mine), "key_file": str(my_key)},
        # Waits until it listens.
        "retries": 10,
    }
    running.terminate()
    running.wait(timeout=30)
    assert isinstance(running, subprocess.Popen)


async def ask(folder: Path, source: object) -> float:
    file = folder / "sources.yml"
    file.write_text(yaml.safe_dump({"metrics": [source]}))
    opened = open_metrics(Settings(data_dir=folder, sources_file=file))
    assert opened is not None
    async with aclosing(opened) as metrics:
        (series,) = await metrics.query("vector(7)", at=NOW)
    return float(series.values[0])


async def test_a_certificate_and_a_password_open_the_door(
    tmp_path: Path, server: dict[str, object]
) -> None:
    assert await ask(tmp_path, server) == 7.0


async def test_without_one_of_them_it_stays_closed(
    tmp_path: Path, server: dict[str, object]
) -> None:
    await ask(tmp_path, server)
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other", "another ca")
    tls = server["tls"]
    assert isinstance(tls, dict)
    quick = {**server, "retries": 0}
    attempts: tuple[tuple[dict[str, object], type[OpsmithError]], ...] = (
        ({**quick, "tls": {"ca_file": tls["ca_file"]}}, Unreachable),
        ({**quick, "tls": {**tls, "ca_file": str(stranger.ca)}}, Unreachable),
    )
    for source, error in attempts:
        with pytest.raises(error):
            await ask(tmp_path, source)
    (tmp_path / "password").write_text("wrong")
    with pytest.raises(BadInput, match="does not let us in"):
        await ask(tmp_path, quick)
    (tmp_path / "password").write_text("word")
    assert await ask(tmp_path, {**quick, "tls": {**tls, "ca_file": None, "verify": False}}) == 7.0


async def test_doctor_asks_each_source_by_its_name(
    tmp_path: Path, server: dict[str, object]
) -> None:
    file = tmp_path / "sources.yml"
    gone = {"name": "gone", "url": f"http://127.0.0.1:{free_port()}", "retries": 0}
    file.write_text(yaml.safe_dump({"metrics": [server, gone]}))

    asked = probes(Settings(data_dir=tmp_path, sources_file=file))
    await asked["guarded"]()

    with pytest.raises(Unreachable):
        await asked["gone"]()
