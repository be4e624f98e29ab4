"""`opsmith intent`: from labelled sentences to an adapter in use, and back."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from opsmith.cli.main import opsmith
from opsmith.wiring import intent as wiring

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    monkeypatch.setenv("OPSMITH_DATA_DIR", str(tmp_path / "data"))
    wiring.served.cache_clear()

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(opsmith, ["intent", *arguments])

    yield invoke
    wiring.served.cache_clear()


@pytest.fixture
def lessons(tmp_path: Path) -> Path:
    rows = [
        {"text": f"{verb} the {name} lamp", "intent": intent}
        for verb, intent in (("dim", "dim"), ("paint", "paint"), ("sell", "sell"))
        for name in ("red", "green", "blue", "old")
    ]
    path = tmp_path / "lamps.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_an_adapter_is_trained_measured_used_and_taken_back(
    run: Run, lessons: Path, tmp_path: Path
) -> None:
    (tmp_path / "data" / "intent").mkdir(parents=True)
    (tmp_path / "data" / "intent" / "canary.jsonl").write_text(lessons.read_text())

    trained = run("train", str(lessons), "--name", "lamps", "-o", "json")
    measured = run("eval", str(lessons), "--adapter", "lamps", "-o", "json")
    used = run("use", "lamps")
    listed = json.loads(run("adapters", "-o", "json").output)
    back = run("rollback")

    assert json.loads(trained.output)[0]["rank"] == 8
    assert json.loads(measured.output)["right"] > 0.9
    assert used.exit_code == 0
    assert [(one["name"], one["active"]) for one in listed] == [
        ("shipped", False),
        ("lamps", True),
    ]
    assert back.output == "shipped is in use.\n"
    assert run("rollback").exit_code == 1


def test_a_tenant_has_adapters_of_its_own(run: Run, lessons: Path, tmp_path: Path) -> None:
    own = ("--tenant", "shop")
    (tmp_path / "data" / "intent").mkdir(parents=True)
    (tmp_path / "data" / "intent" / "canary.jsonl").write_text(lessons.read_text())

    run("train", str(lessons), "--name", "lamps", *own)
    used = run("use", "lamps", *own)
    mine = json.loads(run("adapters", *own, "-o", "json").output)
    shared = json.loads(run("adapters", "-o", "json").output)
    strange = run("use", "lamps", "--tenant", "bank")
    back = run("rollback", *own)

    assert used.exit_code == 0
    assert [(one["name"], one["active"]) for one in mine] == [("shared", False), ("lamps", True)]
    assert [(one["name"], one["active"]) for one in shared] == [("shipped", True)]
    assert strange.exit_code == 2
    assert "There is no adapter 'lamps': shared." in strange.output
    assert back.output == "shared is in use.\n"


def test_an_adapter_that_is_worse_is_not_put_into_use(run: Run, lessons: Path) -> None:
    run("train", str(lessons), "--name", "lamps")

    found = run("use", "lamps")

    assert found.exit_code == 1
    assert "worse" in found.output


@pytest.mark.parametrize(
    "content", [b"", b"no json\n", b'{"text": "x"}\n', b'{"text": "", "intent": "y"}\n', b"\xff\n"]
)
def test_bad_sentences_are_told_and_leave_nothing(
    run: Run, content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(content)

    found = run("train", str(path), "--name", "bad")

    assert found.exit_code == 2
    assert "bad.jsonl" in found.output
    assert not (tmp_path / "data").exists()


def test_known_names_are_learned_by_what_they_name(run: Run, tmp_path: Path) -> None:
    inventory, said, shown = (tmp_path / name for name in ("names.json", "a.jsonl", "b.jsonl"))
    inventory.write_text(json.dumps({"services": ["cart", "checkout"]}))
    asks = {
        "restart_service": ("restart {}", "bounce {}"),
        "check_health": ("is {} ok", "ping {}"),
    }
    for path, names in ((said, ("cart", "checkout")), (shown, ("the service", "the service"))):
        rows = [
            {"text": way.format(name), "intent": intent}
            for intent, ways in asks.items()
            for way in ways
            for name in names
        ]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    made = [
        run("train", str(path), "--name", path.stem, "-o", "json", *more)
        for path, more in ((said, ("--inventory", str(inventory))), (shown, ()))
    ]
    measured = run("eval", str(said), "--adapter", "b", "--inventory", str(inventory))

    versions = {json.loads(one.output)[0]["version"] for one in made}
    assert len(versions) == 1
    assert measured.exit_code == 0
