"""Every command finds the ledger that a URL names; its password is never told."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result
from promises.real_postgres import Server, postgres

from opsmith.cli.main import opsmith

pytestmark = pytest.mark.needs_postgres

PASSWORD = "sesame-open"
# Lets the tests in without a password, and the ledger's user only with its own.
RULES = "host all shop 127.0.0.1/32 trust\nhost all keeper 127.0.0.1/32 scram-sha-256\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("postgres")
    (folder / "rules").write_text(RULES)
    with postgres(folder / "data", hba_file=str(folder / "rules")) as running:
        with psycopg.connect(running.url(), autocommit=True) as line:
            line.execute(f"CREATE USER keeper PASSWORD '{PASSWORD}'")
            line.execute("CREATE DATABASE opsmith OWNER keeper")
        yield running


@pytest.fixture
def house(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    url = f"postgresql://keeper@127.0.0.1:{server.port}/opsmith"
    monkeypatch.setenv("OPSMITH_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("OPSMITH_LEDGER_URL", url)
    monkeypatch.setenv("OPSMITH_LEDGER_PASSWORD_FILE", str(tmp_path / "password"))
    return tmp_path


def run(*words: str) -> Result:
    done = CliRunner().invoke(opsmith, list(words))
    assert PASSWORD not in done.output
    return done


def test_what_is_asked_is_kept_sealed_and_checked_there(house: Path) -> None:
    assert run("ask", "restart it").exit_code == 2

    assert "restart it" in run("session", "list").stdout
    assert run("audit", "seal").exit_code == 0
    assert "none changed" in run("audit", "verify").stdout
    assert not (house / "ledger.db").exists()


@pytest.mark.usefixtures("house")
def test_the_doctor_asks_it() -> None:
    told = run("doctor").stdout

    assert "ledger                 answers" in told


@pytest.mark.parametrize(
    ("name", "text", "code", "said"),
    [
        ("password", "another\n", 3, "password authentication failed"),
        ("password", None, 2, "cannot be read"),
    ],
)
def test_a_wrong_password_is_told(
    house: Path, name: str, text: str | None, code: int, said: str
) -> None:
    if text is None:
        (house / name).unlink()
    else:
        (house / name).write_text(text)

    done = run("audit", "verify")

    assert done.exit_code == code
    assert said in done.stderr


@pytest.mark.usefixtures("house")
def test_a_password_in_the_url_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPSMITH_LEDGER_URL", f"postgresql://keeper:{PASSWORD}@127.0.0.1/opsmith")

    done = run("audit", "verify")

    assert done.exit_code == 2
    assert "OPSMITH_LEDGER_PASSWORD_FILE" in done.stderr
