"""A report made again from what was kept, byte for byte."""

import asyncio
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from opsmith.audit.states import of_look
from opsmith.backends.ledger.sqlite import SqliteLedger
from opsmith.cli.main import opsmith
from opsmith.flows.investigate import investigate
from opsmith.nouns.diagnosis import PathWeights
from opsmith.wiring.replay import look_of
from opsmith.wiring.weights import shipped_weights

EXAMPLE = Path(__file__).parents[2] / "examples" / "incidents" / "bad-deploy"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def typed(*words: str) -> Result:
    return CliRunner().invoke(opsmith, words)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OPSMITH_DATA_DIR", str(tmp_path))
    folder = tmp_path / "incidents" / "i1"
    shutil.copytree(EXAMPLE, folder / "bundle")
    fitted = shipped_weights()
    found = investigate(
        folder / "bundle",
        fitted=fitted,
        top=5,
        path_weights=PathWeights.BOTTLENECK,
        seen_before=lambda _: ("yesterday, slow: it was service:cart",),
    )
    look = look_of(folder, found, fitted=fitted, top=5, at=NOON)
    ledger = SqliteLedger(tmp_path / "ledger.db")
    asyncio.run(ledger.append([of_look(look)], durable=True))
    ledger.close()
    return tmp_path


def test_the_same_bytes_come_out_again(house: Path) -> None:
    result = typed("replay", "i1", "--report", str(house / "again.html"), "-o", "json")

    assert result.exit_code == 0
    assert json.loads(result.stdout)["same"] is True
    assert (house / "again.html").read_text().startswith("<!DOCTYPE html>")
    assert "yesterday, slow" in (house / "again.html").read_text()
    assert "byte for byte" in typed("replay", "i1").stdout


def test_what_was_changed_since_is_said(house: Path) -> None:
    title = house / "incidents" / "i1" / "bundle" / "incident.yaml"
    title.write_text(title.read_text().replace("title:", "title: Another,"))
    changed = typed("replay", "i1")
    (weights,) = (house / "weights").iterdir()
    weights.write_text(weights.read_text().replace('"cases": [', '"cases": [ '))
    both = typed("replay", "i1", "-o", "json")

    assert changed.exit_code == 1
    assert "the bundle was changed since" in changed.stdout
    assert "the kept weights were changed since" in json.loads(both.stdout)["differs"]


def test_what_was_never_looked_at_or_is_gone_is_said(house: Path) -> None:
    assert typed("replay", "i2").exit_code == 2
    shutil.rmtree(house / "weights")
    assert typed("replay", "i1").exit_code == 3
