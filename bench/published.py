"""Published methods by their authors' own packages (bench/requirements.txt)."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd
from baro.root_cause_analysis import robust_scorer
from baselines import Ranking, samples

from opsmith.nouns.recording import Recording, Window


def baro(recording: Recording) -> Ranking:
    """BARO's RobustScorer (Pham et al., FSE 2024), package `fse-baro`.

    One table of all series: the fault-free stretches first, then the window, each with its gaps
    filled from its own neighbours; the package is told where the window begins, as in the
    authors' own comparison.
    """
    if not recording.series or recording.window is None or not recording.reference:
        return []
    normal = table(recording, recording.reference)
    frame = pd.concat([normal, table(recording, (recording.window,))], join="inner")
    frame = frame.rename_axis("time").reset_index()
    ranks = robust_scorer(frame, anomalies=[len(normal)])["ranks"]
    blamed = [recording.series[int(name.split("_")[0])].entity for name in ranks]
    candidates = set(recording.candidates)
    return list(dict.fromkeys(one for one in blamed if one is not None and one in candidates))


def table(recording: Recording, windows: Iterable[Window]) -> pd.DataFrame:
    """Every series that has a sample there as a column, times in Unix seconds as the index."""
    stretches = tuple(windows)
    columns = {
        f"{number}_value": pd.Series(samples(series, stretches), dtype=float)
        for number, series in enumerate(recording.series)
        if series.entity is not None
    }
    frame = pd.DataFrame(columns).sort_index().ffill().bfill()
    return frame.dropna(axis="columns", how="all")
