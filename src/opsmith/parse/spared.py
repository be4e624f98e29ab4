"""What a change is to leave alone: "restart cart, not gateway", 网关别动."""

from __future__ import annotations

import re
from functools import cache

from opsmith.parse.evidence import CHANGES, guess
from opsmith.parse.lexicon import phrase, phrases
from opsmith.parse.spans import Span, pattern

_NAME = r"(?:<thing>|<alert>|<env>|<ver>)"
_NAMES = rf"{_NAME}(?:(?:,| |、|and|or|nor|和|与|跟|及|或)*{_NAME})*"
_THING = pattern("<thing>|<alert>")
_HOST, _GROUP, _ENV = pattern("<host>"), pattern("<grp>"), pattern("<env>")


@cache
def _spared() -> re.Pattern[str]:
    sources = (
        source.replace("<names>", _NAMES).replace("<named>", _NAMES.replace(",| ", " "))
        for source in phrases("spared", "spoken")
    )
    return pattern("|".join(f"(?:{source})" for source in sources))


def without_spared(text: str) -> str:
    """Cut what a tagged text says is to be left alone, if it asks for anything else."""
    rest = _spared().sub(" ", text).strip()
    hosts = bool(_HOST.search(text) and _GROUP.search(text)) and not _HOST.search(rest)
    others = bool(_ENV.search(text)) and not _ENV.search(rest)
    if rest == text or hosts or others:
        # "every host of a group but this one", "all but staging": which those are is asked.
        return text
    asked = guess(rest)
    changes = asked is not None and asked.intent in CHANGES
    return rest if changes or _THING.search(rest) else text


def in_doubt(text: str, whole: str, spans: list[Span]) -> list[str]:
    """Which targets of a step are in doubt, as words of leaving alone stand beside them."""
    kinds, found = {span.kind for span in spans}, []
    if not _SPARES.search(whole):
        return []
    if {"host", "grp"} <= kinds:
        found.append("host")
    if not _SPARES.search(text):
        return found
    for kind, slot in _SPARED_KINDS.items():
        if len({str(span.value) for span in spans if span.kind == kind}) > 1:
            found.append(slot)
    return [*found, "env"] if "env" in kinds else found


# "and leave b out of it", in words that are not read: which of several is meant is asked.
_SPARES = phrase("spared", "in_doubt")
_SPARED_KINDS = {"svc": "service", "host": "host", "grp": "host_group", "alert": "alert"}
