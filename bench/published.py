"""Published methods by their authors' own packages (bench/requirements.txt)."""

from __future__ import annotations

import pandas as pd
from baro.root_cause_analysis import robust_scorer
from baselines import Ranking, samples

from opsmith.nouns.recording import Recording


def baro(recording: Recording) -> Ranking:
    """BARO's RobustScorer (Pham et al., FSE 2024), package `fse-baro`.

    One table of all series on their common times, gaps filled from before; it gets the start of
    the window as the time of the fault, as in the authors' own comparison.
    """
    if not recording.series or recording.window is None or not recording.reference:
        return []
    stretches = (*recording.reference, recording.window)
    columns = {
        f"{number}_value": pd.Series(samples(series, stretches))
        for number, series in enumerate(recording.series)
        if series.entity is not None
    }
    frame = pd.DataFrame(columns).sort_index().ffill().bfill()
    frame = frame.rename_axis("time").reset_index()
    ranks = robust_scorer(frame, inject_time=recording.window.start.timestamp())["ranks"]
    blamed = [recording.series[int(name.split("_")[0])].entity for name in ranks]
    candidates = set(recording.candidates)
    return list(dict.fromkeys(one for one in blamed if one is not None and one in candidates))
