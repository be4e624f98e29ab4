"""The ledger sealed, checked, exported and tampered with, as typed."""

import asyncio
import json
import os
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from opsmith.backends.ledger.sqlite import SqliteLedger
from opsmith.cli.main import opsmith
from opsmith.nouns.record import Entry

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def typed(*words: str) -> Result:
    return CliRunner().invoke(opsmith, words)


def write(folder: Path, *bodies: str) -> None:
    async def written() -> None:
        ledger = SqliteLedger(folder / "ledger.db")
        for body in bodies:
            one = Entry(kind="note", subject=body, body=json.dumps(body), at=NOON)
            await ledger.append([one], durable=True)
        ledger.close()

    asyncio.run(written())


def tamper(folder: Path, *statements: str) -> None:
    with sqlite3.connect(folder / "ledger.db") as connection:
        for statement in statements:
            connection.execute(statement)


def faults(*words: str) -> str:
    result = typed("audit", "verify", *words, "-o", "json")
    told = json.loads(result.stdout)
    assert result.exit_code == (0 if told["whole"] else 1)
    return "; ".join(told["faults"])


@pytest.fixture(params=["ed25519", "sm2"])
def house(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OPSMITH_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("OPSMITH_SIGN_WITH", request.param)
    write(tmp_path, "a", "b", "c")
    return tmp_path


def test_a_ledger_nobody_touched_is_whole_and_says_how_far_it_is_sealed(house: Path) -> None:
    assert "not sealed yet" in typed("audit", "verify").stdout
    assert "sealed up to record 4" in typed("audit", "seal").stdout
    write(house, "d")

    assert "5 records, none changed; sealed up to 4" in typed("audit", "verify").stdout
    assert json.loads(typed("audit", "show", "1").stdout)["body"] == "a"
    assert typed("audit", "show", "99").exit_code == 2


def test_a_flipped_byte_names_its_record(house: Path) -> None:
    typed("audit", "seal")
    tamper(house, "UPDATE record SET body = '\"B\"' WHERE seq = 2")

    assert "record 2 was changed" in faults()
    refused = typed("audit", "seal")
    assert refused.exit_code == 1
    assert "is not sealed" in refused.stderr


def test_a_ledger_cut_off_and_made_to_look_whole_is_seen(house: Path) -> None:
    typed("audit", "seal")
    tamper(
        house,
        "DELETE FROM record WHERE seq > 2",
        "DELETE FROM latest WHERE seq > 2",
        "UPDATE mark SET seq = 2, digest = (SELECT digest FROM record WHERE seq = 2)"
        " WHERE name = 'head'",
    )

    assert "record 4 was sealed and is gone: the ledger was cut after 2" in faults()


def test_a_chain_written_anew_is_seen(house: Path) -> None:
    typed("audit", "seal")
    (house / "ledger.db").unlink()
    for name in ("ledger.db-wal", "ledger.db-shm"):
        (house / name).unlink(missing_ok=True)
    write(house, "a", "forged", "c", "d", "e")

    assert "record 4 is not the one that was sealed" in faults()


def test_a_seal_by_another_key_or_a_garbled_one_does_not_count(
    house: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    typed("audit", "seal")
    pem = tmp_path_factory.mktemp("keys") / "mine.pem"
    pem.write_text(typed("audit", "key").stdout)
    assert faults("--key", str(pem)) == ""

    kind = os.environ["OPSMITH_SIGN_WITH"]
    (house / "keys" / f"ledger-{kind}.key").unlink()
    typed("audit", "seal")
    assert "by another key" in faults("--key", str(pem))

    book = house / "seals.jsonl"
    first = json.loads(book.read_text().splitlines()[0])
    first["at"] = "2020-01-01T00:00:00+00:00"
    book.write_text(json.dumps(first) + "\n")
    assert "not by the key that it names" in faults()
    book.write_text("garbage\n")
    assert typed("audit", "verify").exit_code == 2


def test_after_a_clean_up_the_start_must_be_vouched_for(house: Path) -> None:
    typed("audit", "seal")

    async def forget() -> None:
        ledger = SqliteLedger(house / "ledger.db")
        await ledger.forget(before=datetime(2026, 1, 1, 13, tzinfo=UTC))
        ledger.close()

    asyncio.run(forget())
    bare = faults()
    typed("audit", "seal")

    assert "no seal vouches for that" in bare
    assert faults() == ""


def test_an_export_is_checked_without_the_ledger(
    house: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed("audit", "seal")
    away = tmp_path_factory.mktemp("away")
    file, pem = away / "ledger.jsonl", away / "key.pem"
    pem.write_text(typed("audit", "key").stdout)
    assert "4 records" in typed("audit", "export", str(file)).stdout
    monkeypatch.setenv("OPSMITH_DATA_DIR", str(away / "elsewhere"))

    assert faults(str(file), "--key", str(pem)) == ""
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines[:2], lines[2].replace(r"\"b\"", r"\"x\""), *lines[3:]]))
    assert "record 2 was changed" in faults(str(file))
    file.write_text("\n".join([*lines[:4], *lines[5:]]))
    assert "cut after 3" in faults(str(file))
    for text in ("", "[1]", "{}", lines[0] + "\n[]", lines[0] + '\n{"seq": 1}', "x"):
        file.write_text(text)
        assert typed("audit", "verify", str(file)).exit_code == 2
    assert house.exists()


def test_an_algorithm_that_nobody_knows_is_said(
    house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPSMITH_SIGN_WITH", "rot13")

    assert "ed25519, sm2" in typed("audit", "seal").stderr
    assert house.exists()
