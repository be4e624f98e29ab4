"""Lines of samples are read as people and programs write them."""

import math

import pytest

from opsmith.errors import BadInput
from opsmith.ingest.sample_lines import read_line
from opsmith.nouns.anomaly import Sample


@pytest.mark.parametrize(
    ("line", "sample"),
    [
        ("10,2.5\n", Sample(series="stdin", time_s=10.0, value=2.5)),
        ('up{job="a,b"},10,1', Sample(series='up{job="a,b"}', time_s=10.0, value=1.0)),
        ("1970-01-01T00:01:00Z,1", Sample(series="stdin", time_s=60.0, value=1.0)),
        ("1970-01-01 00:01:00,1", Sample(series="stdin", time_s=60.0, value=1.0)),
        ('{"series":"a","time":3,"value":4}', Sample(series="a", time_s=3.0, value=4.0)),
    ],
)
def test_a_line_is_a_sample(line: str, sample: Sample) -> None:
    assert read_line(line) == sample


@pytest.mark.parametrize("line", ["", "  \n", "# a comment", "timestamp,value"])
def test_a_line_may_say_nothing(line: str) -> None:
    assert read_line(line) is None


@pytest.mark.parametrize("line", ["10,", '{"time":1,"value":null}'])
def test_a_gap_is_a_sample_without_a_number(line: str) -> None:
    sample = read_line(line)

    assert sample is not None
    assert math.isnan(sample.value)


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "1,x",
        "yesterday,1",
        "{",
        "[" * 100_000,
        '{"value":1}',
        '{"series":3,"time":1,"value":1}',
        '{"time":{},"value":1}',
        "9" * 20_000,
    ],
)
def test_anything_else_is_refused(line: str) -> None:
    with pytest.raises(BadInput):
        read_line(line)


@pytest.mark.parametrize(
    ("line", "counter"),
    [
        ('hits_total{code="200"},10,3', True),
        ("queue_count,10,3", False),
        ('{"series":"x","time":1,"value":2,"kind":"counter"}', True),
        ('{"series":"hits_total","time":1,"value":2,"kind":"gauge"}', False),
        ('{"series":"hits_total","time":1,"value":2}', True),
    ],
)
def test_a_counter_is_told_by_its_name_or_by_word(line: str, counter: bool) -> None:  # noqa: FBT001
    sample = read_line(line)

    assert sample is not None
    assert sample.counter is counter


def test_a_kind_that_is_none_is_refused() -> None:
    with pytest.raises(BadInput, match="no kind"):
        read_line('{"time":1,"value":2,"kind":"summary"}')
