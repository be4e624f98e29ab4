"""The claim of an anomaly: one sentence with its figures, for a person."""

from __future__ import annotations

from dataclasses import replace

from opsmith.nouns.anomaly import Anomaly, Verdict

# How each view says what it saw; the words follow "because".
WORDS = {
    "value": "this value was hardly ever seen before",
    "level": "the mean of the last 12 points stands where it never stood",
    "spread": "the values scatter as they never did",
    "change": "it jumped as it seldom does",
    "season": "it is off its pattern for this time of day or week",
    "rest": "it has stayed still for longer than usual",
    "trend": "the mean of the last 60 points stands where it never stood",
    "residual": "the next value was predicted to be another",
    "persistence": "it has been odd for a while",
    "shift": "for hours it has stood farther from its usual pattern than on any day before",
    "astray": "for hours it has been off its usual pattern as on no day before",
    "unrest": "for hours it has moved more from point to point than on any day before",
}


def claim(anomaly: Anomaly, *, usual: float) -> Anomaly:
    """The same anomaly with its sentence. usual: the level before the alarm, for its end."""
    return replace(anomaly, claim=_sentence(anomaly, usual))


def _sentence(anomaly: Anomaly, usual: float) -> str:
    value = _figure(anomaly.value)
    if anomaly.verdict in (Verdict.ALARM, Verdict.HELD):
        return f"{value} is unusual: {_because(anomaly)}{_beside(anomaly)}."
    return SENTENCES[anomaly.verdict].format(value=value, usual=_figure(usual))


SENTENCES = {
    Verdict.QUIET: "{value} is nothing unusual.",
    Verdict.WARMING: "{value}; still warming up, nothing is paged yet.",
    Verdict.OUTAGE: "{value} is more than 20 deviations from all that was seen since the start.",
    Verdict.CALM: "Back to usual at {value}.",
    Verdict.NEW_NORMAL: "Learned to live with a new normal around {value}; it was {usual} before.",
    Verdict.GAP: "No number to look at; the sample is left out.",
    Verdict.LATE: "Not newer than the sample before; it is left out.",
}


def _because(anomaly: Anomaly) -> str:
    return "; ".join(WORDS[name] for name, _ in anomaly.views[:2])


def _beside(anomaly: Anomaly) -> str:
    score = f"score {anomaly.score:.2f} over {anomaly.threshold:.2f}"
    if anomaly.low is None or anomaly.high is None:
        return f" ({score})"
    return f" (expected {_figure(anomaly.low)} to {_figure(anomaly.high)}, {score})"


# From here on a number is easier to read with an exponent than with commas.
LONG = 1e6


def _figure(value: float) -> str:
    return f"{value:,.4g}" if abs(value) < LONG else f"{value:.4g}"
