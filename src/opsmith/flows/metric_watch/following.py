"""Following: samples of signals in, the signs that stand or end out; what was learned is kept."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from opsmith.detect.fleet import CODES, Fleet
from opsmith.detect.state import STRICTNESS
from opsmith.detect.step import CODE
from opsmith.errors import BadInput, HouseError
from opsmith.flows.metric_watch.signals import Sample, Signal
from opsmith.nouns.anomaly import PAGING, TELLING, Anomaly, Label
from opsmith.nouns.sign import Sign, SignKind
from opsmith.seams.state import StateStore

STATE = "watch.fleet"
# Where the labels on the ledger were read to, in front of the detectors.
_HEAD = struct.Struct("<q")
# A series unseen for a day has gone: its pod or its queue is no more.
GONE_S = 86400.0


class Following:
    """The detectors of all signals. most: of how many signals; others are turned away."""

    def __init__(self, *, most: int) -> None:
        self._most = most
        self._fleet = Fleet()
        self._seen_s: dict[str, float] = {}
        self._open: dict[str, Sign] = {}
        self.labels_read = 0
        self.turned_away: set[str] = set()

    @property
    def signals(self) -> int:
        """How many signals are followed."""
        return len(self._fleet.keys)

    async def restore(self, store: StateStore) -> bool:
        """Go on where `save` left off; whether there was anything that could be read.

        A state of another version or a damaged one is as good as none: all is learned anew.
        """
        try:
            blob = await store.load(STATE)
            if blob is None:
                return False
            await asyncio.to_thread(self._fleet.restore, blob[_HEAD.size :])
        except (BadInput, HouseError):
            self._fleet = Fleet()
            return False
        (self.labels_read,) = _HEAD.unpack_from(blob)
        return True

    async def save(self, store: StateStore) -> None:
        """Keep what was learned."""
        blob = _HEAD.pack(self.labels_read) + self._fleet.to_bytes()
        await store.save(STATE, blob)

    def resume(self, signs: Iterable[Sign]) -> None:
        """Remember which anomalies stood when opsmith ended."""
        self._open = {s.series: s for s in signs if s.kind is SignKind.ANOMALY and s.stands}

    def take(self, samples: Sequence[Sample]) -> tuple[Sign, ...]:
        """Judge samples, by rising time; the signs that began or ended with them."""
        known = [(row, one) for one in samples if (row := self._row(one.signal)) is not None]
        if not known:
            return ()
        rows = np.array([row for row, _ in known], np.int64)
        wide = np.full((len(known), 4), np.nan)
        wide[:, 0] = [one.time_s for _, one in known]
        wide[:, 1] = [one.value for _, one in known]
        answers = self._fleet.take(rows, wide)
        self._seen_s.update((one.signal.key, one.time_s) for _, one in known)
        telling = [code for code, verdict in enumerate(CODES) if verdict in TELLING]
        found = []
        for at in np.flatnonzero(np.isin(answers[:, CODE], telling)):
            anomaly = self._fleet.told(int(rows[at]), wide[at], answers[at])
            if (sign := self._sign(anomaly, known[at][1].signal)) is not None:
                found.append(sign)
        return tuple(found)

    def label(self, sign: Sign, said: Label) -> float:
        """Let a person's word on an anomaly move its series; the new multiplier."""
        return self._fleet.label(self._fleet.row(sign.series), said, sign.score)

    def strictness(self, series: str) -> float:
        """By how much labels have moved the threshold of a series."""
        return float(self._fleet.state.scalars[self._fleet.row(series), STRICTNESS])

    def tidy(self, now: datetime) -> tuple[Sign, ...]:
        """Forget series that are gone; their anomalies end."""
        since_s = now.timestamp() - GONE_S
        self._seen_s = {key: at for key, at in self._seen_s.items() if at >= since_s}
        if len(self._fleet.keys) >= self._most:
            rows = [row for row, key in enumerate(self._fleet.keys) if key in self._seen_s]
            self._fleet.keep(rows)
        self.turned_away.clear()
        gone = [sign for key, sign in self._open.items() if sign.at.timestamp() < since_s]
        for sign in gone:
            del self._open[sign.series]
        return tuple(replace(sign, ended_at=now) for sign in gone)

    def _row(self, signal: Signal) -> int | None:
        full = signal.key not in self._seen_s and self.signals >= self._most
        if full and signal.key not in self._fleet.keys:
            self.turned_away.add(signal.key)
            return None
        return self._fleet.row(signal.key)

    def _sign(self, anomaly: Anomaly, signal: Signal) -> Sign | None:
        standing = self._open.get(anomaly.series)
        if anomaly.verdict not in PAGING:
            if standing is None:
                return None
            del self._open[anomaly.series]
            return replace(standing, ended_at=anomaly.at)
        sign = Sign(
            id=anomaly.id,
            kind=SignKind.ANOMALY,
            at=anomaly.at.astimezone(UTC),
            series=anomaly.series,
            entity=signal.entity,
            aspect=signal.aspect,
            claim=anomaly.claim,
            score=anomaly.score,
        )
        if standing is not None:  # a worse one during it: the same sign, told again
            sign = replace(sign, id=standing.id, at=standing.at)
        self._open[anomaly.series] = sign
        return sign
