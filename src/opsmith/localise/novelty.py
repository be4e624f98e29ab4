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
from opsmith.localise.periods import moment
from opsmith.localise.scene import Scene
from opsmith.localise.traces import Traces
from opsmith.nouns.diagnosis import Channel, Evidence
from opsmith.nouns.entity import Entity

# A pair's G that noise reaches now and then: median of the largest in fault-free development
# data is 9 (published constant; 5 and 20 lose an incident each).
NOISE_G = 10.0
# Fewer executed traces than this on either side say nothing (published constants).
LEAST_AFTER = 2.0
LEAST_BEFORE = 1.0
# Branch frequencies drift with the data (4/12 to 11/11 is workload, 0/20 to 19/20 a fault),
# so the share that is new counts by this power (published constant).
NOVELTY_POWER = 2.0
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


def compare(k0: Vector, n0: Vector, k1: Vector, n1: Vector) -> tuple[Vector, Vector]:
    """How surely, and how newly, the rate k1 of n1 exceeds k0 of n0: G, and the score.

    G is twice the log-likelihood ratio of two rates against one, 0 unless the rate rose; the
    score is G times the part of the rate that is new, to the power `NOVELTY_POWER`.
    Source: Dunning (1993) for G.

    >>> g, score = compare(*(np.array([x]) for x in (0.0, 20.0, 19.0, 20.0)))
    >>> float(g[0].round(1)), float(score[0].round(1))
    (45.6, 43.4)
    """
    p0 = (k0 + 0.5) / (n0 + 1.0)
    p1 = np.divide(k1, n1, out=np.zeros_like(n1), where=n1 > 0)
    rose = (p1 > p0) & (k1 * n0 > k0 * n1) & (n1 >= LEAST_AFTER) & (n0 >= LEAST_BEFORE)
    g = likelihood(k0, n0) + likelihood(k1, n1) - likelihood(k0 + k1, n0 + n1)
    g = np.where(rose, np.maximum(2.0 * g, 0.0), 0.0)
    fresh = 1.0 - np.divide(p0, p1, out=np.ones_like(p0), where=rose)
    return g, g * fresh**NOVELTY_POWER


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Side:
    """The traces of one side. worth: (traces,) effective traces each stands for, 0 if outside."""

    worth: Vector

    @classmethod
    def of(cls, traces: Traces, inside: Mask) -> Side:
        """Weigh the traces inside by their sampling."""
        weight = np.where(inside, traces.weight, 0.0)
        squares = float(np.sum(weight**2))
        # Kish: (sum w)^2 / sum w^2 traces are as good as these; with equal weights, all.
        scale = float(np.sum(weight)) / squares if squares > 0 else 0.0
        return cls(worth=weight * scale)

    def count(
        self,
        group: NDArray[np.int64],
        trace: NDArray[np.int64],
        size: int,
        kept: Mask | None = None,
    ) -> Vector:
        """Effective traces of each group 0 to size - 1."""
        worth = self.worth[trace] if kept is None else np.where(kept, self.worth[trace], 0.0)
        return np.bincount(group, weights=worth, minlength=size).astype(np.float64)


def likelihood(k: Vector, n: Vector) -> Vector:
    """Largest log-likelihood of k hits in n trials; 0 where n is 0."""
    hit = np.divide(k, n, out=np.zeros_like(n), where=n > 0)
    missed = n - k
    return k * np.log(np.where(k > 0, hit, 1.0)) + missed * np.log(
        np.where(missed > 0, 1.0 - hit, 1.0), where=missed > 0, out=np.zeros_like(n)
    )


def unexplained(traces: Traces, pairs: Pairs, g: Vector, onset_s: float) -> Mask:
    """Which occurrences no other entity's new pair in the same trace explains.

    An occurrence is explained by a new pair of another entity further down the same call, or
    by an earlier one in the trace that is at least as new.
    """
    hot = np.flatnonzero((g[pairs.pair] > NOISE_G) & traces.after(onset_s)[pairs.trace])
    kept = np.ones(len(pairs.pair), dtype=np.bool_)
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
