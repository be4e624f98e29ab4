"""The registry refuses what is not whole, and orders that do not fit."""

from dataclasses import replace

import pytest

from opsmith.errors import BadInput, HouseError, NotFound
from opsmith.execute.action import ActionSpec
from opsmith.execute.registry import LONGEST_VALUE, Registry
from opsmith.nouns.entity import Entity, EntityKind
from opsmith.nouns.plan import Order, Value
from opsmith.testing.acting import TurnDial


class Twisted(TurnDial):
    """A dial action with another spec."""

    def __init__(self, **changes: object) -> None:
        super().__init__()
        object.__setattr__(self, "_changes", changes)

    __slots__ = ("_changes",)

    @property
    def spec(self) -> ActionSpec:
        return replace(TurnDial().spec, **self._changes)  # type: ignore[attr-defined]


class Stump(TurnDial):
    """Has no undo."""

    undo = None  # type: ignore[assignment]


class Hasty(TurnDial):
    """Undoes without being awaited."""

    def undo(self, *_: object) -> str:  # type: ignore[override]
        return ""


class Blank:
    """Nothing at all."""


def order(**values: Value) -> Order:
    return Order(action="dial.turn", target=Entity.service("cart"), values=values)


@pytest.mark.parametrize(
    ("action", "says"),
    [
        (Blank(), "no spec"),
        (Stump(), "no undo"),
        (Hasty(), "not a coroutine"),
        (Twisted(name="Turn It"), "noun.verb"),
        (Twisted(title=" "), "no title"),
        (Twisted(rights=""), "rights"),
        (Twisted(targets=frozenset()), "nothing"),
        (Twisted(undo=""), "how it is undone"),
        (Twisted(irreversible="gone for good"), "how it is undone"),
        (Twisted(deadline_s=0.0), "deadline"),
        (Twisted(inputs={"type": "object"}), "not closed"),
        (Twisted(inputs={"type": "objekt", "additionalProperties": False}), "no JSON Schema"),
    ],
)
def test_an_action_that_is_not_whole_is_refused(action: TurnDial, says: str) -> None:
    with pytest.raises(HouseError, match=says):
        Registry([action])


def test_two_actions_of_one_name_are_refused() -> None:
    with pytest.raises(HouseError, match="two actions"):
        Registry([TurnDial(), TurnDial()])


def test_actions_are_found_by_name_and_listed() -> None:
    registry = Registry([TurnDial()])

    assert [one.spec.name for one in registry] == ["dial.turn"]
    with pytest.raises(NotFound, match=r"dial\.turn"):
        registry.get("dial.spin")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (order(), "'to' is a required property"),
        (order(to="1; rm -rf /"), "not of type 'integer'"),
        (order(to=101), "maximum"),
        (order(to=1, more="x"), "Additional properties"),
        (order(to=1, more="a\0b"), "NUL"),
        (order(to=1, more=("ok", "a\0b")), "NUL"),
        (order(to=1, more="\ud800"), "half a character"),
        (order(to=1, more="x" * (LONGEST_VALUE + 1)), "longer than"),
        (replace(order(to=1), target=Entity(kind=EntityKind.HOST, name="web-1")), "works on"),
    ],
)
def test_an_order_that_does_not_fit_is_refused(wrong: Order, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        Registry([TurnDial()]).checked(wrong)
