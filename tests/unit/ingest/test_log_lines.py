"""Log lines in the forms in which programs write them."""

from datetime import UTC, datetime

import pytest

from opsmith.errors import BadInput
from opsmith.ingest.log_lines import level_named, read_line, records, request_of
from opsmith.nouns.log_line import Level, LogLine, LogQuery

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TRACE = "0af7651916cd43dd8448eb211c80319c"


def one(text: str) -> LogLine:
    return read_line(text, service="own", source="a.log", now=NOW)


@pytest.mark.parametrize(
    "text",
    [
        '{"time": "2026-01-02T03:04:05Z", "level": "error"}',
        '{"@timestamp": "2026-01-02T05:04:05+02:00"}',
        '{"ts": 1767323045}',
        '{"ts": 1767323045000.0}',
        '{"timestamp": "1767323045000000"}',
        '{"t": 1767323045000000000}',
        "2026-01-02T03:04:05Z INFO up",
        "2026-01-02 03:04:05,000 INFO up",
        "[2026-01-02 03:04:05 +0000] up",
        "2026-01-02 03:04:05.000000000 UTC up",
        '10.0.0.1 - - [02/Jan/2026:03:04:05 +0000] "GET / HTTP/1.1" 200',
        "Jan  2 03:04:05 host app[1]: up",
        "time=2026-01-02T03:04:05Z level=info msg=up",
    ],
)
def test_times_are_read_in_all_usual_forms(text: str) -> None:
    assert one(text).at == AT


@pytest.mark.parametrize(
    "text",
    [
        "no time at all",
        "2026-99-99T03:04:05Z odd",
        "Foo 99 03:04:05 odd",
        "Feb 31 03:04:05 odd",
        '{"ts": -1}',
        '{"ts": 1e300}',
        '{"ts": true}',
        "[99/Foo/2026:03:04:05 +0000] odd",
    ],
)
def test_a_line_without_a_time_was_written_when_it_was_read(text: str) -> None:
    assert one(text).at == NOW


def test_syslog_of_last_december_is_not_of_this_one() -> None:
    assert one("Dec 31 23:59:59 host app: old").at.year == 2025


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ('{"level": "warning"}', Level.WARN),
        ('{"level": 50}', Level.ERROR),
        ('{"level": 7}', Level.UNSET),
        ('{"severity": "CRITICAL"}', Level.FATAL),
        ('{"log": {"level": "debug"}}', Level.DEBUG),
        ('{"msg": "an ERROR in the text"}', Level.UNSET),
        ("2026-01-01T00:00:00Z ERROR no", Level.ERROR),
        ("2026-01-01 00:00:00 [warn] no", Level.WARN),
        ("E0102 03:04:05.000 1 klog.go:1] no", Level.ERROR),
        ("time=x level=fatal msg=no", Level.FATAL),
        ("nothing to say", Level.UNSET),
    ],
)
def test_levels_are_read_in_all_usual_forms(text: str, level: Level) -> None:
    assert one(text).level is level


@pytest.mark.parametrize(
    "text",
    [
        f'{{"trace_id": "{TRACE}"}}',
        f'{{"traceparent": "00-{TRACE}-b7ad6b7169203331-01"}}',
        f"INFO trace_id={TRACE.upper()} up",
        f'INFO traceId: "{TRACE}" up',
        f"up 00-{TRACE}-b7ad6b7169203331-01",
        f"level=info msg=up trace_id={TRACE}",
    ],
)
def test_trace_ids_are_read_in_all_usual_forms(text: str) -> None:
    assert one(text).trace_id == TRACE


def test_a_trace_id_that_is_none_is_left_out() -> None:
    assert one('{"trace_id": "../../etc"}').trace_id == ""


@pytest.mark.parametrize(
    ("text", "service"),
    [
        ('{"service": "cart", "msg": "x"}', "cart"),
        ('{"service": {"name": "cart"}, "msg": "x"}', "cart"),
        ('{"service.name": "cart"}', "cart"),
        ("service=cart level=info msg=x", "cart"),
        ("plain", "own"),
        ("[1]", "own"),
        ("{not json", "own"),
    ],
)
def test_the_service_is_the_one_named_else_the_one_given(text: str, service: str) -> None:
    assert one(text).service == service


def test_texts_are_those_of_the_message_without_secrets() -> None:
    assert one('{"msg": "password=hunter2 sent"}').text == "password=[redacted] sent"
    assert one('level=info msg="said \\"no\\"" a=b').text == 'said "no"'
    assert one('{"body": {"stringValue": "otlp"}}').text == "otlp"
    assert one("x=1 y").text == "x=1 y"


def test_lines_that_go_on_belong_to_the_one_before() -> None:
    lines = [
        "    an end without a beginning",
        "2026-01-02T03:04:05Z ERROR failed",
        "Traceback (most recent call last):",
        '  File "a.py", line 1',
        "",
        "2026-01-02T03:04:06Z INFO up",
    ]

    found = list(records(lines, service="a", source="", now=NOW))

    assert [line.level for line in found] == [Level.UNSET, Level.ERROR, Level.INFO]
    assert found[1].text.count("\n") == 2


def test_a_record_does_not_grow_without_end() -> None:
    lines = ["2026-01-02T03:04:05Z ERROR failed", *["    at a.b.c(d)" * 100] * 1_000]

    (line,) = records(lines, service="a", source="", now=NOW)

    assert len(line.text) == 16_000


def test_records_become_an_export_request() -> None:
    lines = [one(f'{{"ts": 1, "trace_id": "{TRACE}", "msg": "a"}}'), one('{"service": "b"}')]

    request = request_of(lines)

    groups = request["resourceLogs"]
    assert isinstance(groups, list)
    assert [len(group["scopeLogs"][0]["logRecords"]) for group in groups] == [1, 1]
    assert groups[0]["scopeLogs"][0]["logRecords"][0]["timeUnixNano"] == "1000000000"


def test_levels_are_named_and_questions_checked() -> None:
    assert level_named("Warning") is Level.WARN
    with pytest.raises(BadInput, match="no level"):
        level_named("loud")
    for start, end, limit in ((NOW, NOW, 1), (AT, NOW, 0), (AT.replace(tzinfo=None), NOW, 1)):
        with pytest.raises(BadInput):
            LogQuery(start=start, end=end, limit=limit)
