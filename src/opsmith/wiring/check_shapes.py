"""How checks of addresses stand in the targets file, checked at the door."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from opsmith.backends.reach.http_checks import HttpCheck
from opsmith.backends.reach.text_pattern import compiled
from opsmith.backends.wire.http import HttpWire
from opsmith.errors import BadInput
from opsmith.wiring.source_file import Name, ServerShape

CheckName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,60}$")]
Status = Annotated[int, Field(ge=100, le=599)]


class HttpCheckShape(ServerShape):
    """An address, how it is asked, what must be so there, and when somebody is told.

    failures: so many in a row are an outage.
    """

    name: Name = "check"
    timeout_s: float = Field(default=10.0, gt=0, le=60)
    method: Literal["GET", "HEAD"] = "GET"
    status: tuple[Status, ...] = Field(default=(200,), min_length=1, max_length=50)
    text: str = Field(default="", max_length=1_000)
    pattern: str = ""
    certificate_days: int = Field(default=0, ge=0, le=365)
    failures: int = Field(default=3, ge=1, le=100)

    @model_validator(mode="after")
    def _can_be_seen(self) -> Self:
        if self.method == "HEAD" and (self.text or self.pattern):
            raise ValueError("an answer to HEAD has no text")
        if self.certificate_days and not (self.url.startswith("https:") and self.tls.verify):
            raise ValueError("certificate_days needs https and tls.verify")
        try:
            compiled(self.pattern)
        except BadInput as error:
            raise ValueError(str(error)) from error
        return self

    def check(self) -> HttpCheck:
        """The same as a backend takes it. Raises `BadInput` for an address that is none."""
        wire = HttpWire(self.access())
        path = self.url.partition("://")[2].partition("/")[2].partition("?")[0].partition("#")[0]
        return HttpCheck(
            wire=wire,
            shown=f"{wire.where}/{path}",
            method=self.method,
            status=self.status,
            text=self.text,
            pattern=compiled(self.pattern) if self.pattern else None,
            within_s=self.timeout_s,
            certificate_days=self.certificate_days,
        )
