"""A backend whose library is not installed says in one line what, why and how to install it."""

import sys
from pathlib import Path

import pytest

from opsmith.errors import MissingExtra
from opsmith.settings import Settings
from opsmith.wiring.graph import open_graph
from opsmith.wiring.ledger import open_ledger
from opsmith.wiring.live import App


@pytest.mark.parametrize(
    ("library", "module", "extra"),
    [
        ("neo4j", "opsmith.backends.graph.bolt", "opsmith[neo4j]"),
        ("aiokafka", "opsmith.backends.alerts.kafka", "opsmith[kafka]"),
    ],
)
def test_a_missing_extra_is_told_with_its_install_command(
    library: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.delitem(sys.modules, module, raising=False)
    settings = Settings(
        data_dir=tmp_path, graph_url="bolt://127.0.0.1:1", kafka_url="kafka://127.0.0.1:1/alerts"
    )

    with pytest.raises(MissingExtra) as told:
        open_graph(settings) if library == "neo4j" else App(settings, version="0")

    assert f"pip install '{extra}'" in str(told.value)


def test_a_ledger_by_url_without_its_driver_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    for module in ("postgres", "postgres_line"):
        monkeypatch.delitem(sys.modules, f"opsmith.backends.ledger.{module}", raising=False)

    with pytest.raises(MissingExtra, match=r"pip install 'opsmith\[postgres\]'"):
        open_ledger(Settings(data_dir=tmp_path, ledger_url="postgresql://127.0.0.1:1/x"))


def test_the_embedded_graph_needs_no_extra(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "neo4j", None)

    assert open_graph(Settings(data_dir=tmp_path)) is not None
