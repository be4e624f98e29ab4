"""An entry of the catalogue and a target -> PromQL. Names are escaped, never pasted.

Source: Prometheus documentation, "Querying basics" (string literals); RE2 syntax.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from opsmith.answer.catalogue import QUANTILES, Entry

# Pods of a Deployment end in the hash of their ReplicaSet and five signs, of a StatefulSet in a
# number, of a DaemonSet in five signs.
# Source: Kubernetes, "Pod template hash" and "StatefulSet, Pod identity".
POD_TAIL = "(-[a-z0-9]{6,10})?-[a-z0-9]{5}|-[0-9]{1,4}"
PORT_TAIL = ":[0-9]{1,5}"
_LOOSE = re.compile(r"\b(sum|avg|max|min|count) \(")
_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")

LabelSet = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """`label="value"`, or with `pattern` one that any of the values fits."""

    label: str
    values: tuple[str, ...]
    tail: str = ""

    def __str__(self) -> str:
        if len(self.values) == 1 and not self.tail:
            return f'{self.label}="{quoted(self.values[0])}"'
        names = "|".join(literal(value) for value in self.values)
        whole = f"({names})({self.tail})?" if self.tail else names
        return f'{self.label}=~"{quoted(whole)}"'

    def fits(self, labels: LabelSet) -> bool:
        """Whether a label set has such a value."""
        names = "|".join(map(re.escape, self.values))
        return bool(
            re.fullmatch(
                f"(?:{names})(?:{self.tail})?" if self.tail else names, labels.get(self.label, "")
            )
        )


def matcher(label: str, values: Sequence[str]) -> Matcher:
    """The condition that a label holds one of the names, also with the tail of a pod or port."""
    tail = {"pod": POD_TAIL, "instance": PORT_TAIL}.get(label, "")
    return Matcher(label=label, values=tuple(values), tail=tail)


def quoted(text: str) -> str:
    r"""Text as it stands between double quotes in PromQL.

    >>> print(quoted('a"} or up{b="'))
    a\"} or up{b=\"
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return escaped.replace("\n", "\\n").replace("\r", "\\r")


def literal(text: str) -> str:
    """Text as a regular expression of RE2 that fits it alone."""
    return _SPECIAL.sub(lambda found: f"\\{found[0]}", text)


def selector(name: str, matchers: Sequence[Matcher]) -> str:
    """A series selector: the entry's own conditions, then ours."""
    base, brace, inside = name.partition("{")
    conditions = [inside.removesuffix("}").strip()] if brace else []
    conditions += [str(one) for one in matchers]
    return f"{base}{{{', '.join(conditions)}}}" if conditions else base


def expression(
    entry: Entry, metric: str, *, matchers: Sequence[Matcher], by: str, rate_s: int
) -> str:
    """The PromQL of an entry. by: the label that tells the parts of the answer apart, or empty.

    rate_s: the window of rates, whole seconds.
    """
    filled = {
        "target": ", ".join(map(str, matchers)),
        "by": by,
        "rate": f"{rate_s}s",
        "q": f"{QUANTILES.get(metric, 0.95):g}",
    }
    text = re.sub(r"\$(target|by|rate|q)\b", lambda found: filled[found[1]], entry.promql)
    return _tidy(text)


def _tidy(text: str) -> str:
    """Without the commas and brackets that an empty place leaves, outside of strings."""
    parts = re.split(r'("(?:[^"\\]|\\.)*")', text)
    for n in range(0, len(parts), 2):
        part = re.sub(r"\bby \(\s*\)\s*", "", parts[n])
        part = re.sub(r",\s*(?=[)}])", "", part)
        parts[n] = re.sub(r"\{\s*,\s*", "{", part)
    return _LOOSE.sub(r"\1(", "".join(parts)).replace("{}", "")
