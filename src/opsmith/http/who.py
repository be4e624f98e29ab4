"""Who: the principal of a request, as the gate saw it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from opsmith.errors import AskError
from opsmith.nouns.session import Principal, Role

# Whoever holds the one key, a trusted certificate, or sits at this machine.
HTTP = Principal(name="http", role=Role.ADMIN)


class NotAllowed(AskError):
    """Your role may look, but not do this."""

    exit_code = 4
    http_status = 403


def who(request: Request) -> Principal:
    """The principal of a request."""
    found = request.scope.get("principal")
    return found if isinstance(found, Principal) else HTTP


def operator(request: Request) -> Principal:
    """The principal, who must be more than a viewer. Raises `NotAllowed`."""
    found = who(request)
    if found.role is Role.VIEWER:
        raise NotAllowed
    return found


Operator = Annotated[Principal, Depends(operator)]
