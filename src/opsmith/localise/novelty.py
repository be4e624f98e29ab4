"""Novelty: which event pairs the incident made new, and whom that blames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opsmith.localise.event_pairs import (
    END,
    FAILED_END,
    FIRST_FREE,
    START,
    Mask,
    Pairs,
    Vector,
    read_pairs,
)
from opsmith.localise.findings import Findings
from opsmith.localise.lost_calls import lost_since
from opsmith.localise.periods import moment
from opsmith.localise.rise import NOISE_G, Side, compare
from opsmith.localise.scene import Scene
from opsmith.localise.traces import Traces
from opsmith.nouns.diagnosis import Channel, Evidence
from opsmith.nouns.entity import Entity

# Parents are followed so far at most; a deeper trace, or a circle of parents, ends here.
DEEPEST = 64
MOST_EVIDENCE = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rating:
    """Each pair's counts, in traces, and its score. All (pairs,) float64.

    before_with of before_ran traces showed the pair before the onset, after_with of after_ran
    after it; g, score: see `compare`.
    """

    before_with: Vector
    before_ran: Vector
    after_with: Vector
    after_ran: Vector
    g: Vector
    score: Vector


def rate(traces: Traces, pairs: Pairs, onset_s: float, kept: Mask | None = None) -> Rating:
    """Compare every pair's rate before and after an onset.

    kept: (occurrences,) which ones count after the onset; None for all.
    Sampled traces count by their weight, brought to the effective number of traces.
    Source: Kish (1965) for the effective number.
    """
    before = Side.of(traces, traces.before(onset_s))
    after = Side.of(traces, traces.after(onset_s))
    count = len(pairs.owner)
    k0 = before.count(pairs.pair, pairs.trace, len(pairs.first))
    k1 = after.count(pairs.pair, pairs.trace, len(pairs.first), kept)
    n0 = before.count(pairs.ran_operation, pairs.ran_trace, count)[pairs.operation]
    n1 = after.count(pairs.ran_operation, pairs.ran_trace, count)[pairs.operation]
    g, score = compare(k0, n0, k1, n1)
    return Rating(
        before_with=k0,
        before_ran=n0,
        after_with=k1,
        after_ran=n1,
        g=g,
        score=score,
    )


def unexplained(traces: Traces, pairs: Pairs, g: Vector, onset_s: float) -> Mask:
    """Which occurrences no other entity's new pair in the same trace explains.

    An occurrence is explained by a new pair of another entity further down the same call, by
    an earlier one in the trace that is at least as new, or by an earlier call at or below its
    span that got lost on its way.
    """
    hot = np.flatnonzero((g[pairs.pair] > NOISE_G) & traces.after(onset_s)[pairs.trace])
    kept = lost_since(traces, onset_s)[pairs.span] > pairs.at_s
    owner = pairs.owner[pairs.operation[pairs.pair[hot]]]
    kept[hot[above_another(traces, pairs.span[hot], owner)]] = False
    worth = g[pairs.pair[hot]]
    order = np.lexsort((owner, -worth, pairs.at_s[hot], pairs.trace[hot]))
    trace, largest = -1, dict[int, float]()
    for place in order.tolist():
        row = int(hot[place])
        if pairs.trace[row] != trace:
            trace, largest = int(pairs.trace[row]), {}
        mine, who = float(worth[place]), int(owner[place])
        if any(other != who and found >= mine for other, found in largest.items()):
            kept[row] = False
        largest[who] = max(largest.get(who, 0.0), mine)
    return kept


def above_another(
    traces: Traces, span: NDArray[np.int64], owner: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which of the spans have another entity's span of the list below them."""
    above = np.zeros(len(traces.parent), dtype=np.bool_)
    here, whose = span, owner
    for _ in range(DEEPEST):
        up = traces.parent[here]
        here, whose = up[up >= 0], whose[up >= 0]
        if not len(here):
            break
        here, whose = np.unique(np.stack([here, whose]), axis=1)
        above[here[whose != traces.spans.entity[here]]] = True
    return above[span]


def new_pairs(scene: Scene) -> Findings:
    """Blame the owners of operations that now do what they did not do before.

    strength: the largest score of an entity's pairs over all onsets, over `NOISE_G`.
    Features: `early_end` and `failure`, the same for pairs that end an operation without and
    with an error.
    """
    traces, periods = scene.traces, scene.periods
    if traces is None or periods is None:
        return Findings(channel=Channel.EVENT_PAIR, strength={}, evidence={})
    pairs = read_pairs(traces, scene.recording.logs)
    strength: dict[Entity, float] = {}
    evidence: dict[Entity, tuple[Evidence, ...]] = {}
    features: dict[str, dict[Entity, float]] = {"early_end": {}, "failure": {}}
    for onset_s in periods.onsets_s():
        first = rate(traces, pairs, onset_s)
        rating = rate(traces, pairs, onset_s, unexplained(traces, pairs, first.g, onset_s))
        for entity, ranked in best_pairs(traces, pairs, rating).items():
            found = float(rating.score[ranked[0]]) / NOISE_G
            if found > strength.get(entity, 0.0):
                strength[entity] = found
                evidence[entity] = tuple(
                    fact(scene, pairs, rating, pair, onset_s) for pair in ranked
                )
                for name, ends in (("early_end", END), ("failure", FAILED_END)):
                    scores = [rating.score[p] for p in ranked if pairs.second[p] == ends]
                    features[name][entity] = float(max(scores, default=0.0)) / NOISE_G
    return Findings(
        channel=Channel.EVENT_PAIR, strength=strength, evidence=evidence, features=features
    )


def best_pairs(traces: Traces, pairs: Pairs, rating: Rating) -> dict[Entity, list[int]]:
    """The best few pairs of each entity that has any, best first."""
    owner = pairs.owner[pairs.operation]
    order = np.lexsort((np.arange(len(owner)), -rating.score, owner))
    found: dict[Entity, list[int]] = {}
    for pair in order[rating.score[order] > 0.0].tolist():
        ranked = found.setdefault(traces.spans.entities[owner[pair]], [])
        if len(ranked) < MOST_EVIDENCE:
            ranked.append(pair)
    return found


def fact(scene: Scene, pairs: Pairs, rating: Rating, pair: int, onset_s: float) -> Evidence:
    """A pair in words, with both rates."""
    traces = scene.traces
    names = () if traces is None else traces.spans.entities
    operations = () if traces is None else traces.spans.operations
    operation = int(pairs.operation[pair])
    entity = names[pairs.owner[operation]]
    then = said(scene, pairs, int(pairs.second[pair]))
    since = said(scene, pairs, int(pairs.first[pair]))
    with_after, ran_after = rating.after_with[pair], rating.after_ran[pair]
    with_before, ran_before = rating.before_with[pair], rating.before_ran[pair]
    return Evidence(
        channel=Channel.EVENT_PAIR,
        claim=(
            f"`{operations[pairs.called[operation]]}` of {entity}: after {since} now comes {then}"
            f" in {with_after:.0f} of {ran_after:.0f} traces, before in {with_before:.0f}"
            f" of {ran_before:.0f}"
        ),
        strength=float(rating.score[pair]) / NOISE_G,
        entity=entity,
        unit="ratio",
        before=float(with_before / ran_before),
        after=float(with_after / ran_after),
        at=moment(onset_s),
    )


def said(scene: Scene, pairs: Pairs, code: int) -> str:
    """An event in words."""
    marks = {START: "its start", END: "its end", FAILED_END: "an end in failure"}
    if code in marks:
        return marks[code]
    recording, events = scene.recording, pairs.events
    template = code - FIRST_FREE
    if template < events.templates and recording.logs is not None:
        return f"`{recording.logs.templates[template]}`"
    operation = events.children[template - events.templates, 1]
    spans = recording.spans
    return f"a call of `{spans.operations[operation]}`" if spans else ""
