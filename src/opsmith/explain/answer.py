"""Answer: the diagnosis as one JSON object, by `schemas/investigate.json`."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from importlib.resources import files

from opsmith.explain.words import clean, name, title
from opsmith.nouns.diagnosis import Cause, Diagnosis, Evidence
from opsmith.nouns.diagnosis import Path as FaultPath
from opsmith.nouns.entity import Entity


def answer(diagnosis: Diagnosis, *, top: int, seen_before: tuple[str, ...] = ()) -> str:
    """The answer with its `top` likeliest causes, as JSON text ending in a line break.

    Keys keep their order and numbers are finite, so that the same diagnosis gives the same bytes.
    """
    whole = {
        "incident": title(diagnosis.incident),
        "status": str(diagnosis.status),
        "onset": _time(diagnosis.onset),
        "causes": [_cause(cause) for cause in diagnosis.causes[:top]],
        "path": _names(diagnosis.path.entities) if diagnosis.path else [],
        "path_details": _path_details(diagnosis.path),
        "alerting": _names(diagnosis.alerting),
        "reasons": [clean(reason) for reason in diagnosis.reasons],
        "ruled_out": [
            {"entity": name(out.entity), "why": clean(out.why)} for out in diagnosis.ruled_out
        ],
        "missing": [
            {"part": clean(lack.part), "what": clean(lack.what)} for lack in diagnosis.missing
        ],
        "seen_before": [clean(one) for one in seen_before],
    }
    return json.dumps(whole, ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def schema() -> str:
    """The JSON Schema (2020-12) of the answer, as text."""
    return files("opsmith.explain").joinpath("schemas/investigate.json").read_text("utf-8")


def _cause(cause: Cause) -> dict[str, object]:
    return {
        "entity": name(cause.entity),
        "kind": str(cause.kind),
        "score": _number(cause.score),
        "confidence": _number(cause.confidence),
        "evidence": [_evidence(fact) for fact in cause.evidence],
    }


def _evidence(fact: Evidence) -> dict[str, object]:
    return {
        "claim": clean(fact.claim),
        "channel": str(fact.channel),
        "entity": name(fact.entity),
        "strength": _number(fact.strength),
        "unit": clean(fact.unit),
        "before": _number(fact.before),
        "after": _number(fact.after),
        "at": _time(fact.at),
        "series": [clean(key, longest=1000) for key in fact.series],
    }


def _path_details(path: FaultPath | None) -> dict[str, object] | None:
    if path is None:
        return None
    return {
        "bottleneck": _number(path.bottleneck),
        "cost": _number(path.cost),
        "over_limit": path.over_limit,
        "cycles": [_names(cycle) for cycle in path.cycles],
    }


def _names(entities: tuple[Entity, ...]) -> list[str]:
    return [name(entity) for entity in entities]


def _number(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def _time(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else None
