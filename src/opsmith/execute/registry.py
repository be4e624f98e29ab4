"""Registry: the actions there are; an incomplete one, or a second of one name, is refused."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping

from jsonschema import Draft7Validator
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import extend

from opsmith.errors import BadInput, HouseError, NotFound
from opsmith.execute.action import Action, ActionSpec
from opsmith.nouns.plan import Order, Values

_NAME = re.compile(r"[a-z][a-z0-9]*(\.[a-z][a-z0-9_]*)+")
_PARTS = ("resource", "dry_run", "apply", "verify", "undo")
_AWAITED = ("dry_run", "apply", "verify", "undo")


def _pattern(_: object, pattern: str, text: object, __: object) -> Iterator[ValidationError]:
    """`$` is the end, as JSON Schema means it; Python's also fits before a last line break."""
    ends = pattern[:-1] + r"\Z" if pattern.endswith("$") else pattern
    if isinstance(text, str) and not re.search(ends, text):
        yield ValidationError(f"{text[:80]!r} does not match {pattern!r}")


_Validator = extend(Draft7Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]
# No single value of an order is longer; what is (a whole file) has no place in an order.
LONGEST_VALUE = 65_536
# Whole numbers are exact as floats up to here, and nothing that is counted is more.
LARGEST_NUMBER = 2**53


class Registry:
    """The actions by name. Raises `HouseError` that says what an action lacks.

    refused: actions of packages that are not whole, with a sentence why, by their entry point.
    """

    def __init__(
        self, actions: Iterable[Action], *, refused: Mapping[str, str] | None = None
    ) -> None:
        self._actions: dict[str, Action] = {}
        self.refused = dict(refused or {})
        for action in actions:
            faults = lacks(action)
            name = action.spec.name if hasattr(action, "spec") else type(action).__name__
            if faults:
                raise HouseError(f"The action {name} is refused: {'; '.join(faults)}.")
            if name in self._actions:
                raise HouseError(f"There are two actions named {name}.")
            self._actions[name] = action

    def __iter__(self) -> Iterator[Action]:
        """The actions by name."""
        return (self._actions[name] for name in sorted(self._actions))

    def get(self, name: str) -> Action:
        """The action of this name. Raises `NotFound`, with why when it was refused."""
        if name not in self._actions and name in self.refused:
            raise NotFound(self.refused[name])
        if name not in self._actions:
            raise NotFound(
                f"There is no action {name[:60]!r}.", hint=f"There are {', '.join(self._names())}."
            )
        return self._actions[name]

    def checked(self, order: Order) -> Action:
        """The action that `order` names, once its target and values fit. Raises `BadInput`."""
        action = self.get(order.action)
        spec = action.spec
        if order.target.kind not in spec.targets:
            kinds = ", ".join(sorted(spec.targets))
            raise BadInput(f"{spec.name} works on {kinds}, not on {order.target}.")
        self.fits(order.action, order.values)
        return action

    def fits(self, name: str, values: Values) -> None:
        """Raise `BadInput` unless the action's schema takes the values."""
        _check_values(values, self.get(name).spec)

    def _names(self) -> list[str]:
        return sorted(self._actions)


def lacks(action: Action) -> list[str]:
    """What an action must have and has not, in words; empty when it is whole."""
    spec = getattr(action, "spec", None)
    if not isinstance(spec, ActionSpec):
        return ["it has no spec"]
    faults = [f"it has no {part}" for part in _PARTS if not callable(getattr(action, part, None))]
    faults += [
        f"its {part} is not a coroutine"
        for part in _AWAITED
        if callable(getattr(action, part, None))
        and not inspect.iscoroutinefunction(getattr(action, part))
    ]
    return faults + spec_faults(spec)


def spec_faults(spec: ActionSpec) -> list[str]:
    """What a spec lacks, in words; empty when it is whole."""
    said = {
        "its name is not noun.verb": not _NAME.fullmatch(spec.name),
        "it has no title": not spec.title.strip(),
        "it does not say what rights it needs": not spec.rights.strip(),
        "it works on nothing": not spec.targets,
        "it says neither how it is undone nor why it cannot be": bool(spec.undo.strip())
        == bool(spec.irreversible.strip()),
        "its deadline is not above 0": not spec.deadline_s > 0,
        "its inputs are not closed": spec.inputs.get("additionalProperties") is not False,
    }
    faults = [fault for fault, holds in said.items() if holds]
    try:
        Draft7Validator.check_schema(dict(spec.inputs))
    except SchemaError as error:
        faults.append(f"its inputs are no JSON Schema: {error.message}")
    return faults


def _check_values(values: Values, spec: ActionSpec) -> None:
    plain = {
        name: list(value) if isinstance(value, tuple) else value for name, value in values.items()
    }
    for name, value in values.items():
        for one in value if isinstance(value, tuple) else (value,):
            _check_plain(one, f"{spec.name}: {name}")
    errors = sorted(_Validator(dict(spec.inputs)).iter_errors(plain), key=str)
    if errors:
        where = "/".join(map(str, errors[0].absolute_path))
        at = f" at {where}" if where else ""
        raise BadInput(f"{spec.name}{at}: {errors[0].message[:300]}.")


def _check_plain(value: object, where: str) -> None:
    """Raise `BadInput` for what is neither text, nor a number that can be counted with."""
    if isinstance(value, str):
        _check_text(value, where)
    elif not isinstance(value, int | float):
        raise BadInput(f"{where} is no text and no number.")
    elif not abs(value) <= LARGEST_NUMBER:  # which no comparison with NaN is
        raise BadInput(f"{where} is a number beyond all bounds.")


def _check_text(text: str, where: str) -> None:
    """Whatever an action does with a text, these are never meant."""
    if len(text) > LONGEST_VALUE:
        raise BadInput(f"{where} is longer than {LONGEST_VALUE} characters.")
    if "\0" in text:
        raise BadInput(f"{where} holds a NUL character.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadInput(f"{where} holds half a character.") from error
