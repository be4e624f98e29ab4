"""PromQL from the catalogue: every entry parses, and a name is only ever a name."""

from importlib.resources import files

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from opsmith.answer.catalogue import Entry, shipped
from opsmith.answer.expression import expression, matcher, selector
from opsmith.backends.metrics import promql


def chosen(node: object) -> list[promql.Chosen]:
    if isinstance(node, promql.Chosen):
        return [node]
    parts = [getattr(node, name, None) for name in ("left", "right", "inner")]
    arguments = getattr(node, "arguments", ())
    return [one for part in (*parts, *arguments) if part is not None for one in chosen(part)]


def test_every_figure_that_a_task_may_ask_for_has_an_entry() -> None:
    text = (files("opsmith.parse") / "schemas" / "query_metric.yaml").read_text("utf-8")
    asked = yaml.safe_load(text)["inputs"]["properties"]["metric"]["enum"]

    assert [metric for metric in asked if not shipped().entries_for(metric)] == []


@given(
    st.text(min_size=1, max_size=40),
    st.sampled_from(shipped().entries),
    st.sampled_from(["", "service"]),
)
def test_a_name_stays_one_value_whatever_it_holds(name: str, entry: Entry, by: str) -> None:
    one = matcher("service", [name])
    text = expression(entry, "latency_p95", matchers=[one], by=by, rate_s=60)

    found = chosen(promql.parse(text))

    assert found
    for part in found:
        (mine,) = [m for m in part.matchers if m.label == "service"]
        assert (mine.operator, mine.value) == ("=", name)


@given(st.lists(st.text(min_size=1, max_size=20), min_size=2, max_size=3, unique=True))
def test_several_names_fit_themselves_and_nothing_else(names: list[str]) -> None:
    (node,) = chosen(promql.parse(selector("up", [matcher("service", names)])))
    (mine,) = [m for m in node.matchers if m.label == "service"]

    if not any("\r" in name or "\0" in name for name in names):
        fits = mine.accepts([*names, "other", ""])
        assert all(fits[name] for name in names)
        assert fits.get("other") is ("other" in names)


def test_a_pod_and_an_instance_are_found_by_their_beginning() -> None:
    pod, host = matcher("pod", ["cart"]), matcher("instance", ["web-01"])

    assert pod.fits({"pod": "cart-7d9f8b6c5-x2x9z"})
    assert pod.fits({"pod": "cart-0"})
    assert not pod.fits({"pod": "cart-api-7d9f8b6c5-x2x9z"})
    assert host.fits({"instance": "web-01:9100"})
    assert not host.fits({"instance": "web-010:9100"})


@pytest.mark.parametrize("entry", shipped().entries, ids=lambda e: f"{e.metric}-{e.family}")
def test_an_entry_leaves_no_place_unfilled(entry: Entry) -> None:
    text = expression(entry, "latency_p99", matchers=[matcher("job", ["x"])], by="", rate_s=60)

    assert "$" not in text.replace("$)", "")
    assert "by ()" not in text
    promql.parse(text)
