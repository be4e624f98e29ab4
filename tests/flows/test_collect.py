"""collect: requests in, less out, bounded series of what was in them."""

import math

import orjson
from builders import otlp

from opsmith.flows.collect import Collection, CollectRules
from opsmith.ingest.collector import Budget
from opsmith.ingest.thinning import Step, ThinningRules


def collection(share: float = 1.0) -> Collection:
    rules = CollectRules(
        thinning=ThinningRules(steps=(Step(up_to=math.inf, share=share),)),
        budget=Budget(idle_s=60.0),
    )
    return Collection(rules, chance=lambda: 0.0)


def test_what_is_kept_comes_back_and_what_it_says_is_summed() -> None:
    collect = collection(0.1)
    sent = otlp.traces("cart", *(otlp.span(trace, 1, s=0.5) for trace in range(2_000)))

    line = collect.spans(sent, now_s=0.0)

    assert line is not None
    left = orjson.loads(line)["resourceSpans"][0]["scopeSpans"][0]["spans"]
    (total,) = collect.collector.totals()
    assert 100 < len(left) < 300
    assert total.count == 10 * len(left)
    assert total.sum == 0.5 * total.count
    assert 'traces_spanmetrics_latency_count{service="cart"' in collect.text()


def test_logs_are_counted_by_level_and_idle_series_go() -> None:
    collect = collection()
    collect.logs(otlp.logs("cart", otlp.record("slow", severity=13)), now_s=0.0)
    collect.logs(otlp.logs("pay", otlp.record("ok")), now_s=61.0)
    collect.logs(otlp.logs("pay", otlp.record("ok")), now_s=122.0)

    assert collect.text().splitlines() == [
        "# TYPE log_records summary",
        'log_records_sum{level="INFO",service="pay",template="ok"} 2.0',
        'log_records_count{level="INFO",service="pay",template="ok"} 2.0',
    ]
