"""Own alerts: signs in; the alerts that opsmith raises and ends by itself out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from opsmith.nouns.episode import Episode, EpisodeState
from opsmith.nouns.series import Aspect
from opsmith.nouns.sign import ANOMALOUS, OWN, Sign, SignKind
from opsmith.nouns.signals import Alert, AlertSource, Direction

# An anomaly alone is told only of what users feel.
FELT = frozenset((Aspect.ERRORS, Aspect.LATENCY, Aspect.TRAFFIC))
DAY = timedelta(days=1)


def own_alerts(
    signs: Sequence[Sign],
    *,
    loose: Sequence[Sign],
    known: Mapping[str, Episode],
    alone_a_day: int,
    now: datetime,
) -> tuple[Alert, ...]:
    """The alerts that the signs begin or end.

    An early warning always is one. An anomaly is one when it is near no incident (`loose`), of
    what users feel, and when fewer than `alone_a_day` were raised in the last 24 hours.
    known: the newest state of opsmith's own alerts, by fingerprint.
    """
    left = alone_a_day - sum(1 for _ in _raised_today(known.values(), now))
    alone = {sign.id for sign in loose if sign.stands and sign.aspect in FELT}
    alerts: list[Alert] = []
    for sign in signs:
        print_ = fingerprint(sign)
        fires = print_ in known and known[print_].state is EpisodeState.FIRING
        if not sign.stands:
            alerts += [_alert(sign)] if fires else []
        elif sign.kind is SignKind.WARNING or fires:
            alerts.append(_alert(sign))
        elif sign.id in alone and left > 0:
            left -= 1
            alerts.append(_alert(sign))
    return tuple(alerts)


def fingerprint(sign: Sign) -> str:
    """What the alert of a sign is known by."""
    return f"{OWN}{sign.kind}-{sign.id}"


def _raised_today(known: Iterable[Episode], now: datetime) -> Iterator[Episode]:
    for episode in known:
        ours = episode.alert.fingerprint.startswith(ANOMALOUS)
        if ours and now - episode.first_seen <= DAY:
            yield episode


def _alert(sign: Sign) -> Alert:
    warns = sign.kind is SignKind.WARNING
    metric = sign.series.partition(": ")[2] if warns else sign.series
    return Alert(
        fingerprint=fingerprint(sign),
        name="EarlyWarning" if warns else "Anomaly",
        entity=sign.entity,
        source=AlertSource.METRIC,
        aspect=sign.aspect,
        direction=Direction.NONE,
        metric=metric.partition("{")[0].partition(" ")[0],
        severity="warning",
        starts_at=sign.at,
        ends_at=sign.ended_at,
        labels=(
            ("alertname", "EarlyWarning" if warns else "Anomaly"),
            ("aspect", str(sign.aspect)),
            ("severity", "warning"),
        ),
        annotations=(("series", sign.series[:1000]), ("summary", sign.claim)),
    )
