"""Places to notify, from the file that `OPSMITH_NOTIFY_FILE` names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from opsmith.backends.notify.http import KINDS, HttpNotify
from opsmith.backends.notify.mail import MailNotify
from opsmith.errors import BadInput
from opsmith.seams.notify import Notify
from opsmith.wiring.yaml_door import checked


class Place(BaseModel):
    """One receiver. secret_file holds the secret, so that this file need not."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9_-]{1,32}$")
    kind: str
    url: str
    secret_file: Path | None = None
    sender: str = "opsmith@localhost"
    to: list[str] = []


class Places(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid")

    receivers: list[Place]


def places(path: Path | None) -> Mapping[str, Notify]:
    """The receivers of a file by name; none without a file.

    Raises `BadInput` when the file cannot be read, names one receiver twice, or says something
    that nobody knows.
    """
    if path is None:
        return {}
    told = checked(path, Places)
    if len({place.name for place in told.receivers}) < len(told.receivers):
        raise BadInput(f"{path}: two receivers have one name.")
    return {place.name: _opened(place, path) for place in told.receivers}


def _opened(place: Place, path: Path) -> Notify:
    if place.kind == "email":
        return MailNotify(place.url, sender=place.sender, to=tuple(place.to))
    if place.kind not in KINDS:
        known = ", ".join((*KINDS, "email"))
        raise BadInput(
            f"{path}: {place.kind[:40]!r} is no kind of receiver.", hint=f"Take {known}."
        )
    return HttpNotify(place.kind, place.url, secret=_secret(place))


def _secret(place: Place) -> str:
    if place.secret_file is None:
        return ""
    try:
        return place.secret_file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise BadInput(f"{place.secret_file}: cannot be read ({error.strerror}).") from error
