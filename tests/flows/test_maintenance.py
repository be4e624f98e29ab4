from datetime import UTC, datetime, timedelta

import pytest

from opsmith.errors import BadInput, NotFound
from opsmith.flows.maintenance import Calendar
from opsmith.nouns.entity import Entity
from opsmith.nouns.maintenance import Matcher
from opsmith.nouns.series import Aspect
from opsmith.nouns.session import Principal
from opsmith.nouns.signals import Alert, AlertSource, Direction
from opsmith.testing.ledger import MemoryLedger

ANN, BOB = Principal(name="ann"), Principal(name="bob", tenant="bank")
START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def alert(**labels: str) -> Alert:
    return Alert(
        fingerprint="f",
        name="DiskSlow",
        entity=Entity.service("cart"),
        source=AlertSource.METRIC,
        aspect=Aspect.DISK,
        direction=Direction.UP,
        metric="m",
        severity="critical",
        starts_at=START,
        ends_at=None,
        labels=tuple(labels.items()),
    )


@pytest.mark.parametrize(
    ("selector", "fits"),
    [
        ("service:cart", True),
        ("service:mail", False),
        ("entity=~service:.*", True),
        ("alertname=DiskSlow", True),
        ("alertname=~Disk", False),
        ("alertname=~Disk.*", True),
        ('env="prod"', True),
        ("env!=prod", False),
        ("env!~st.*", True),
        ("absent=", True),
    ],
)
def test_a_selector_fits_as_in_alertmanager(selector: str, *, fits: bool) -> None:
    assert Matcher.parse(selector).fits(alert(env="prod")) is fits


@pytest.mark.parametrize("selector", ["", "cart", "a=~(", "=x", "a=~" + "x" * 300])
def test_what_selects_nothing_is_refused(selector: str) -> None:
    with pytest.raises(BadInput):
        Matcher.parse(selector)


async def test_a_window_covers_what_fits_all_its_matchers_while_it_is_on() -> None:
    calendar = Calendar(MemoryLedger())
    both = (Matcher.parse("service:cart"), Matcher.parse("env=prod"))
    await calendar.add(both, starts_at=START, length=HOUR, by=ANN)

    covered = [
        calendar.covers(alert(env=env), START + timedelta(minutes=minutes))
        for env, minutes in (("prod", 0), ("prod", 59), ("prod", 60), ("test", 5), ("prod", -1))
    ]

    assert covered == [True, True, False, False, False]


async def test_another_process_hears_of_a_window_and_of_its_end() -> None:
    ledger = MemoryLedger()
    here, there = Calendar(ledger), Calendar(ledger)
    window = await here.add((Matcher.parse("a=b"),), starts_at=START, length=HOUR, by=ANN)
    await there.refresh()
    heard = there.windows(START)

    await there.end(window.id, now=START + timedelta(minutes=1), by=BOB)
    await here.refresh()

    assert heard == (window,)
    assert here.windows(START + timedelta(minutes=2)) == ()
    with pytest.raises(NotFound):
        await here.end(window.id, now=START + timedelta(minutes=3), by=ANN)


async def test_a_window_without_end_or_matcher_is_refused() -> None:
    calendar = Calendar(MemoryLedger())
    for matchers, length in (
        ((Matcher.parse("a=b"),), timedelta(days=60)),
        ((Matcher.parse("a=b"),), timedelta(0)),
        ((), HOUR),
    ):
        with pytest.raises(BadInput):
            await calendar.add(matchers, starts_at=START, length=length, by=ANN)
