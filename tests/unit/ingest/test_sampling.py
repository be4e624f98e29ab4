"""How many spans a kept one stands for."""

import pytest

from opsmith.ingest.sampling import weight


@pytest.mark.parametrize(
    ("attributes", "weighs"),
    [
        ({"sampling.probability": "0.1"}, 10.0),
        ({"sampling.ratio": "0.5"}, 2.0),
        ({"SampleRate": "20"}, 20.0),
        ({"sampler.type": "probabilistic", "sampler.param": "0.25"}, 4.0),
        ({"sampler.type": "const", "sampler.param": "1"}, 1.0),
        ({"sampling.probability": "0"}, 1.0),
        ({"sampling.probability": "7"}, 1.0),
        ({"sampling.probability": "nan"}, 1.0),
        ({"sampling.probability": "x"}, 1.0),
        ({"sampling.probability": "1e-300"}, 1.0),
        ({}, 1.0),
    ],
)
def test_the_rate_is_told_by_an_attribute(attributes: dict[str, str], weighs: float) -> None:
    assert weight(attributes, {}, "") == pytest.approx(weighs)
    assert weight({}, attributes, "") == pytest.approx(weighs)


def test_the_span_knows_better_than_its_resource_and_both_than_the_state() -> None:
    span, resource = {"sampling.probability": "0.5"}, {"sampling.probability": "0.1"}

    assert weight(span, resource, "ot=th:c") == 2.0
    assert weight({}, resource, "ot=th:c") == 10.0


@pytest.mark.parametrize(
    ("state", "weighs"),
    [
        ("ot=th:0", 1.0),
        ("ot=th:8", 2.0),
        ("ot=th:c;rv:12345678901234", 4.0),
        ("vendor=x, ot=rv:1;th:e", 8.0),
        ("ot=p:3", 8.0),
        ("ot=p:63", 1.0),
        ("ot=th:", 1.0),
        ("ot=th:xyz", 1.0),
        ("ot=th:123456789012345", 1.0),
        ("not=th:8", 1.0),
        ("ot=rv:1", 1.0),
    ],
)
def test_the_rate_is_told_by_the_trace_state(state: str, weighs: float) -> None:
    assert weight({}, {}, state) == pytest.approx(weighs)
