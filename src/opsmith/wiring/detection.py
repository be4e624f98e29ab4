"""The wiring of `opsmith detect`: which series, which state folder, which flow."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from pathlib import Path

from opsmith.nouns.anomaly import AlarmRate, Anomaly, Label
from opsmith.nouns.sign import Sign
from opsmith.nouns.source import Source
from opsmith.seams.state import StateStore
from opsmith.settings import load


def detect_in(source: Source) -> Iterator[Anomaly | str]:
    """Replay the series a source names and keep what was learned; what is amiss comes as text.

    The series of a file begin anew (its past may overlap with what was seen); a server goes on.
    """
    from opsmith.flows.detect_stream import close_watch, open_watch, replay, restart
    from opsmith.wiring.prediction import series_from

    amiss: list[str] = []
    series, store = series_from(source, tell=amiss.append), _store()
    yield from amiss
    watch = asyncio.run(open_watch(store))
    if source.file is not None:
        restart(watch, {one.key for one in series})
    try:
        yield from replay(watch, series)
    finally:
        asyncio.run(close_watch(store, watch))


def detect_lines(lines: Iterable[str]) -> Iterator[Anomaly | str]:
    """Take sample lines as they come; a line that is none is told as text and passed over."""
    from opsmith.errors import BadInput
    from opsmith.flows.detect_stream import close_watch, follow, open_watch
    from opsmith.ingest.sample_lines import read_line

    store = _store()
    watch = asyncio.run(open_watch(store))
    try:
        for line in lines:
            try:
                sample = read_line(line)
            except BadInput as error:
                yield str(error)
                continue
            if sample is not None:
                yield from follow(watch, (sample,))
    finally:
        asyncio.run(close_watch(store, watch))


def label_anomaly(anomaly: str, said: Label) -> tuple[str, float]:
    """Remember a person's word on an anomaly; the series and its new threshold multiplier."""
    from opsmith.flows.detect_stream import label

    return asyncio.run(label(_store(), anomaly, said))


def label_live(anomaly: str, said: Label) -> Sign | None:
    """Label an anomaly that `opsmith up` told of as the user of this machine; None for no such."""
    from opsmith.wiring.follow import label_sign
    from opsmith.wiring.sessions import os_user

    return asyncio.run(label_sign(load(), anomaly, said, by=os_user()))


def evaluate_anomalies(folder: Path) -> AlarmRate:
    """How loud the detector would have been on every series in the files under a folder."""
    from opsmith.flows.detect_stream import alarm_rate
    from opsmith.wiring.prediction import series_under

    return alarm_rate(series_under(folder))


def _store() -> StateStore:
    from opsmith.backends.state.files import FileStates

    return FileStates(load().data_dir / "state")
