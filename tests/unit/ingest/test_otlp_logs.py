"""Logs in OTLP/JSON, and their templates."""

from pathlib import Path

import pytest

from opsmith.ingest import otlp_logs, templates
from opsmith.ingest.losses import Losses
from opsmith.ingest.naming import Naming
from opsmith.nouns.signals import Logs
from tests.builders.otlp import T0, attributes, logs, record, written


def read(tmp_path: Path, *requests: dict[str, object]) -> tuple[Logs, list[str]]:
    losses = Losses()
    rows = {("t1", "s1"): 7}
    found = otlp_logs.read(written(tmp_path / "logs.jsonl", *requests), rows, Naming(), losses)
    assert found is not None
    return found, [lost.what for lost in losses.missing()]


def shown(found: Logs) -> list[str]:
    return [found.templates[number] for number in found.template]


def test_records_become_columns_and_join_their_spans(tmp_path: Path) -> None:
    found, lost = read(
        tmp_path,
        logs("cart", record("one", at=1.5, traceId="t1", spanId="s1"), record("two", at=0.5)),
        logs("web", record("one", severity=17)),
    )

    assert lost == []
    assert [str(entity) for entity in found.entities] == ["service:cart", "service:web"]
    assert found.entity.tolist() == [0, 0, 1]
    assert found.at_s.tolist() == [T0 + 1.5, T0 + 0.5, T0]
    assert found.span.tolist() == [7, -1, -1]
    assert found.severity.tolist() == [9, 9, 17]


def test_a_line_stands_for_as_many_as_it_says_or_else_its_sender(tmp_path: Path) -> None:
    def sampled(**told: object) -> dict[str, object]:
        return record("stock is low", severity=13, attributes=attributes(**told))

    found, _ = read(
        tmp_path,
        logs("cart", sampled(sampling__adjusted_count=10.0), sampled()),
        logs("web", sampled(), sampled(sampling__probability=1.0), SampleRate=4),
    )

    assert found.weight.tolist() == [10.0, 1.0, 4.0, 1.0]
    assert set(shown(found)) == {"WARN stock is low"}


def test_like_texts_share_a_template_and_keep_one_example_without_secrets(tmp_path: Path) -> None:
    found, _ = read(
        tmp_path,
        logs(
            "cart",
            record("order 17 paid by ann with token=abcd1234 in 3.5 ms"),
            record("order 18 paid by bob with token=efgh5678 in 12 ms"),
            record("stock is low"),
            scope="shop.Cart",
        ),
    )

    assert shown(found)[0] == shown(found)[1]
    assert shown(found)[0].startswith("INFO shop.Cart order <*> paid by <*> with")
    assert shown(found)[2] == "INFO shop.Cart stock is low"
    assert found.examples[0] == "order 17 paid by ann with token=[redacted] in 3.5 ms"
    assert "abcd1234" not in str(found.templates)


@pytest.mark.parametrize(
    ("code", "template"),
    [
        (attributes(code__namespace="shop.Dao", code__lineno=42), "ERROR shop.Dao#42"),
        (attributes(code__file__path="dao.py", code__line__number=7), "ERROR dao.py#7"),
        (attributes(code__function__name="Dao.save"), "ERROR Dao.save"),
        (attributes(code__namespace="Dao", code__function="save"), "ERROR Dao.save"),
        (attributes(logger__name="dao"), "ERROR dao order <*> failed"),
        (attributes(code__namespace="Dao"), "ERROR order <*> failed"),
    ],
)
def test_a_record_that_names_its_code_is_told_by_it(
    tmp_path: Path, code: list[dict[str, object]], template: str
) -> None:
    found, _ = read(tmp_path, logs("a", record("order 1 failed", severity=17, attributes=code)))

    assert shown(found) == [template]


@pytest.mark.parametrize(
    ("told", "number"),
    [
        ({"severityNumber": "SEVERITY_NUMBER_WARN2"}, 14),
        ({"severityNumber": "SEVERITY_NUMBER_ERROR"}, 17),
        ({"severityNumber": "21"}, 21),
        ({"severityNumber": 0, "severityText": "warning"}, 13),
        ({"severityNumber": None, "severityText": "Error"}, 17),
        ({"severityNumber": 99, "severityText": "odd"}, 0),
    ],
)
def test_severities_are_numbers_names_or_texts(
    tmp_path: Path, told: dict[str, object], number: int
) -> None:
    found, _ = read(tmp_path, logs("a", {**record("x"), **told}))

    assert found.severity.tolist() == [number]


def test_what_cannot_be_used_is_told(tmp_path: Path) -> None:
    found, lost = read(
        tmp_path,
        {"resourceSpans": []},
        logs("", record("x")),
        logs(
            "a",
            record("x", timeUnixNano="0"),
            record("y", timeUnixNano=0, observedTimeUnixNano="5"),
        ),
    )

    assert found.at_s.size == 1
    assert lost == [
        'logs.jsonl:1: no "resourceLogs" in it; dropped.',
        "logs.jsonl: a record without a time; dropped.",
        "logs.jsonl: a record of nobody: no service.name.",
    ]


def test_a_line_of_ten_megabytes_is_cut_at_once(tmp_path: Path) -> None:
    found, lost = read(tmp_path, logs("a", record("word " * 2_000_000), record("short")))

    assert lost == []
    assert max(map(len, (*found.templates, *found.examples))) < 500


def test_the_same_lines_give_the_same_numbers() -> None:
    lines = [
        f"job {n} of user{n % 3} took {n * 7} ms {'late' if n % 5 else 'fine'}" for n in range(50)
    ]
    first, second = templates.TemplateMiner(), templates.TemplateMiner()

    numbers = [(first.mined("INFO", line), second.mined("INFO", line)) for line in lines]

    assert all(a == b for a, b in numbers)
    assert first.templates() == second.templates()
    assert len(first.templates()) < 5


def test_lines_of_other_lengths_or_levels_are_other_templates() -> None:
    miner = templates.TemplateMiner()

    numbers = [
        miner.mined("INFO", "a b c"),
        miner.mined("WARN", "a b c"),
        miner.mined("INFO", "a b c d"),
        miner.mined("INFO", ""),
        miner.mined("INFO", " "),
    ]

    assert numbers == [0, 1, 2, 3, 3]


def test_templates_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(templates, "MOST_TEMPLATES", 3)
    miner = templates.TemplateMiner()

    numbers = {miner.mined("INFO", f"w{'x' * n} y{'z' * n} q{'p' * n}") for n in range(9)}

    assert len(numbers) == 4
    assert miner.templates()[3] == "INFO"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("id 123e4567-e89b-12d3-a456-426614174000 gone", "id <*> gone"),
        ("at 2026-01-01T00:00:00.5Z done", "at <*> done"),
        ("peer 10.0.0.7:8080 reset", "peer <*> reset"),
        ("code 0xdeadBEEF and deadbeef12 and defaced", "code <*> and <*> and defaced"),
        ("user 'ann' and \"bob\"", "user <*> and <*>"),
        ("took -12.5ms", "took <*>ms"),
    ],
)
def test_what_varies_is_masked(text: str, masked: str) -> None:
    assert templates.masked(text) == masked
