"""settings: what an operator may set of a service; read when it starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import orjson

from opsmith_lab.layout import Lab, Spec

# Name, and the smallest and largest value that makes sense.
KNOWN: dict[str, tuple[int, int]] = {"pool_size": (1, 64), "attempts": (1, 20)}


class NotASetting(ValueError):
    """There is no such setting, or it cannot have that value."""


def checked(name: str, value: object) -> int:
    """The value as a number. Raises `NotASetting` with what would be possible."""
    if name not in KNOWN:
        raise NotASetting(f"there is no setting {name[:40]!r}; there are {', '.join(KNOWN)}.")
    least, most = KNOWN[name]
    try:
        number = int(str(value))
    except ValueError:
        number = least - 1
    if not least <= number <= most:
        raise NotASetting(f"{name} is a whole number from {least} to {most}.")
    return number


def read(lab: Lab, service: str) -> dict[str, int]:
    """What was set of a service; empty when nothing was."""
    try:
        content = orjson.loads((lab.data / "settings" / f"{service}.json").read_bytes())
    except FileNotFoundError:
        return {}
    return {str(name): int(value) for name, value in content.items()}


def write(lab: Lab, service: str, values: Mapping[str, int]) -> None:
    """Replace what is set of a service."""
    folder = lab.data / "settings"
    folder.mkdir(exist_ok=True)
    draft = folder / f"{service}.new"
    draft.write_bytes(orjson.dumps(dict(values)))
    draft.replace(folder / f"{service}.json")


def applied(spec: Spec, values: Mapping[str, int]) -> Spec:
    """The plan of a service with what was set."""
    full = {**defaults(spec), **values}
    return replace(spec, pool_size=full["pool_size"], attempts=full["attempts"])


def defaults(spec: Spec) -> dict[str, int]:
    """The settings of a service as it was built."""
    return {"pool_size": spec.pool_size, "attempts": spec.attempts}
