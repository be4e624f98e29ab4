"""What every backend of the spread seam keeps: threads here, a real Dask cluster of two."""

import sys
from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest

from opsmith.backends.spread.dask import DaskSpread
from opsmith.backends.spread.threads import ThreadSpread
from opsmith.errors import Unreachable
from opsmith.flows.fleet import forecast_fleet
from opsmith.seams.spread import Spread


@pytest.fixture(params=["threads", pytest.param("dask", marks=pytest.mark.slow)])
def spread(request: pytest.FixtureRequest) -> Iterator[Spread]:
    if request.param == "threads":
        yield ThreadSpread(2)
        return
    with cluster() as running:
        dask = DaskSpread(running.scheduler_address)
        yield dask
        dask.close()


def cluster():  # noqa: ANN201 - a LocalCluster, half typed
    """Two worker processes on loopback, no dashboard."""
    from distributed import LocalCluster

    return LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
    )


def test_answers_come_in_the_order_of_the_pieces(spread: Spread) -> None:
    assert list(spread.each(partial(pow, 2), range(20))) == [2**n for n in range(20)]


def test_threads_can_be_let_go_of() -> None:
    ThreadSpread(1).close()


def test_an_error_comes_where_its_answer_would_have(spread: Spread) -> None:
    answers = spread.each(partial(divmod, 6), [1, 2, 0])

    assert next(answers) == (6, 0)
    with pytest.raises(ZeroDivisionError):
        list(answers)


def test_a_fleet_is_the_same_wherever_it_is_computed(spread: Spread) -> None:
    rng = np.random.default_rng(0)
    y = (10 + np.sin(np.arange(300) / 4) + 0.1 * rng.normal(size=(600, 300))).astype(np.float32)

    here = forecast_fleet(y, step_s=3600.0, steps=24, spread=ThreadSpread(1))
    there = forecast_fleet(y, step_s=3600.0, steps=24, spread=spread)

    assert here.quantiles.tolist() == there.quantiles.tolist()


@pytest.mark.slow
def test_a_scheduler_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("opsmith.backends.spread.dask.TIMEOUT_S", 1)

    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:1"):
        DaskSpread("tcp://127.0.0.1:1")


def test_without_the_extra_the_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from opsmith.errors import MissingExtra

    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.delitem(sys.modules, "opsmith.backends.spread.dask")

    with pytest.raises(MissingExtra, match=r"opsmith\[dask\]"):
        import opsmith.backends.spread.dask  # noqa: F401
