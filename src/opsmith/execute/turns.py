"""Turns: what is said between opsmith and the action of a package, as JSON.

One turn is one run in the sandbox. An action that takes a way ends its turn with what it asks;
opsmith asks it, and the next turn begins anew with all answers so far.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from opsmith.errors import BadAnswer
from opsmith.execute.action import Access, ActionSpec, Finding, Needs, Preview
from opsmith.nouns.entity import Entity, EntityKind
from opsmith.nouns.plan import Order, Value, Values
from opsmith.nouns.task import Risk
from opsmith.seams.reach import Found, Reply

# What comes before the last line of a turn, so that an action may print what it likes.
MARK = "opsmith-turn "
CALLS = ("dry_run", "apply", "verify", "undo")
CHANGING = frozenset({"apply", "undo"})
# Longer than any sentence for a person, and than what an undo needs to know.
LONGEST_SAID = 2_000
LONGEST_VALUES = 65_536

Json: TypeAlias = Mapping[str, object]


def of_spec(spec: ActionSpec, needs: Needs) -> Json:
    """A spec with what it needs."""
    return {
        "name": spec.name,
        "title": spec.title,
        "risk": str(spec.risk),
        "targets": sorted(spec.targets),
        "inputs": dict(spec.inputs),
        "rights": spec.rights,
        "undo": spec.undo,
        "irreversible": spec.irreversible,
        "deadline_s": spec.deadline_s,
        "holds": needs.holds,
        "verbs": sorted(needs.verbs),
        "places": {name: str(access) for name, access in needs.places.items()},
    }


def to_spec(told: Json) -> tuple[ActionSpec, Needs]:
    """What `of_spec` wrote. Raises `BadAnswer` when it is none."""
    try:
        spec = ActionSpec(
            name=_text(told["name"]),
            title=_text(told["title"]),
            risk=Risk(_text(told["risk"])),
            targets=frozenset(EntityKind(one) for one in _list(told["targets"])),
            inputs=_object(told["inputs"]),
            rights=_text(told["rights"]),
            undo=_text(told["undo"]),
            irreversible=_text(told["irreversible"]),
            deadline_s=_number(told["deadline_s"]),
        )
        places = _object(told["places"])
        needs = Needs(
            holds=_text(told["holds"]),
            verbs=frozenset(_list(told["verbs"])),
            places={name: Access(_text(access)) for name, access in places.items()},
        )
    except (KeyError, ValueError, TypeError) as error:
        raise BadAnswer(f"It says what it is in no known way: {error!r:.200}.") from error
    return spec, needs


def of_order(order: Order) -> Json:
    """An order."""
    values = of_values(order.values)
    return {"action": order.action, "target": str(order.target), "values": values}


def to_order(told: Json) -> Order:
    """What `of_order` wrote."""
    return Order(
        action=_text(told["action"]),
        target=Entity.parse(_text(told["target"])),
        values=to_values(told["values"]),
    )


def of_preview(preview: Preview) -> Json:
    """A preview, but for whom it touches besides its target."""
    return {
        "version": preview.version,
        "says": preview.says,
        "before": of_values(preview.before),
        "owner": preview.owner,
        "plan": preview.plan,
        "irreversible": preview.irreversible,
        "risk": str(preview.risk),
    }


def to_preview(told: Json) -> Preview:
    """What `of_preview` wrote. Raises `BadAnswer`."""
    try:
        return Preview(
            version=_text(told["version"])[:LONGEST_SAID],
            says=_text(told["says"])[:LONGEST_SAID],
            before=to_values(told["before"]),
            owner=_text(told["owner"])[:LONGEST_SAID],
            plan=_text(told["plan"]),
            irreversible=_text(told["irreversible"])[:LONGEST_SAID],
            risk=Risk(_text(told["risk"])),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise BadAnswer(
            f"It rehearsed, and what it says of it is none: {error!r:.200}."
        ) from error


def of_finding(finding: Finding) -> Json:
    """A finding."""
    return {"holds": finding.holds, "says": finding.says}


def to_finding(told: Json) -> Finding:
    """What `of_finding` wrote. Raises `BadAnswer`; only a plain yes is a yes."""
    says = told.get("says")
    if not isinstance(says, str):
        raise BadAnswer("It looked, and does not say what it saw.")
    return Finding(holds=told.get("holds") is True, says=says[:LONGEST_SAID])


def of_found(found: Found) -> Json:
    """What a look at a way found."""
    return {"version": found.version, "facts": of_values(found.facts), "owner": found.owner}


def to_found(told: Json) -> Found:
    """What `of_found` wrote."""
    return Found(
        version=_text(told["version"]), facts=to_values(told["facts"]), owner=_text(told["owner"])
    )


def of_reply(reply: Reply) -> Json:
    """What came of a verb."""
    return {"says": reply.says, "facts": of_values(reply.facts)}


def to_reply(told: Json) -> Reply:
    """What `of_reply` wrote."""
    return Reply(says=_text(told["says"]), facts=to_values(told["facts"]))


def of_values(values: Values) -> dict[str, object]:
    """Values, whose tuples become lists."""
    return {name: list(one) if isinstance(one, tuple) else one for name, one in values.items()}


def to_values(told: object) -> dict[str, Value]:
    """What `of_values` wrote. Raises `TypeError` for what is no value, or too much of it."""
    values = {name: _value(one) for name, one in _object(told).items()}
    if sum(len(str(one)) for one in (*values, *values.values())) > LONGEST_VALUES:
        raise TypeError(f"more than {LONGEST_VALUES} characters")
    return values


def _value(told: object) -> Value:
    if isinstance(told, list):
        return tuple(_text(one) for one in told)
    if isinstance(told, str | int | float | bool):
        return told
    raise TypeError(f"{told!r:.60} is no value")


def _text(told: object) -> str:
    if not isinstance(told, str):
        raise TypeError(f"{told!r:.60} is no text")
    return told


def _number(told: object) -> float:
    if isinstance(told, bool) or not isinstance(told, int | float):
        raise TypeError(f"{told!r:.60} is no number")
    return float(told)


def _list(told: object) -> list[str]:
    if not isinstance(told, list):
        raise TypeError(f"{told!r:.60} is no list")
    return [_text(one) for one in told]


def _object(told: object) -> dict[str, object]:
    if not isinstance(told, dict):
        raise TypeError(f"{told!r:.60} is no object")
    return told
