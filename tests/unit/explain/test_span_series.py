from datetime import UTC, datetime

import numpy as np
import pytest

from opsmith.explain.span_series import series_of_spans
from opsmith.nouns.diagnosis import Channel
from opsmith.nouns.entity import Entity
from opsmith.nouns.signals import Spans

CART, ORDERS = Entity.service("cart"), Entity.service("orders")
START = datetime(2026, 3, 1, tzinfo=UTC).timestamp()


def spans(count: int = 100) -> Spans:
    """Each cart span of 1 s calls orders for 0.4 s; every orders span of the second half fails."""
    rows = np.arange(2 * count)
    is_cart = rows < count
    return Spans(
        entities=(CART, ORDERS),
        operations=("op",),
        attribute_sets=((),),
        trace=np.concatenate([np.arange(count), np.arange(count)]),
        parent=np.where(is_cart, -1, rows - count),
        entity=np.where(is_cart, 0, 1).astype(np.int32),
        operation=np.zeros(2 * count, dtype=np.int32),
        start_s=START + (rows % count).astype(np.float64),
        duration_s=np.where(is_cart, 1.0, 0.4),
        failed=~is_cart & (rows % count >= count // 2),
        side=np.zeros(2 * count, dtype=np.int8),
        weight=np.ones(2 * count),
        attributes=np.zeros(2 * count, dtype=np.int32),
    )


@pytest.mark.parametrize("channel", [Channel.SELF_SHARE, Channel.EDGE_GAP])
def test_own_time_is_the_duration_less_that_of_the_children(channel: Channel) -> None:
    (one,) = series_of_spans(spans(), CART, channel)

    assert np.nanmax(np.abs(one.values - 0.6)) < 1e-9
    assert one.name == "own time of spans of service:cart"


def test_the_gap_of_an_edge_is_what_the_caller_waits_longer() -> None:
    (one,) = series_of_spans(spans(), Entity.edge("cart", "orders"), Channel.EDGE_GAP)

    assert np.nanmax(np.abs(one.values - 0.6)) < 1e-9


def test_errors_are_a_share_over_time() -> None:
    (one,) = series_of_spans(spans(), ORDERS, Channel.ERRORS)

    assert one.values[0] == 0
    assert one.values[-1] == 1


def test_failures_of_an_edge_are_those_of_its_callee() -> None:
    (one,) = series_of_spans(spans(), Entity.edge("cart", "orders"), Channel.ERRORS)

    assert one.values[-1] == 1


@pytest.mark.parametrize(
    ("entity", "channel", "count"),
    [
        (Entity.service("nobody"), Channel.SELF_SHARE, 100),
        (CART, Channel.CHANGE, 100),
        (CART, Channel.SELF_SHARE, 1),
    ],
)
def test_what_spans_do_not_show_is_not_drawn(entity: Entity, channel: Channel, count: int) -> None:
    assert series_of_spans(spans(count), entity, channel) == ()
