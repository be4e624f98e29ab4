"""Who: the principal of a request, as the gate saw it, and what there is for it.

What opsmith watches and finds (alerts, signs, incidents, reports, maintenance, its own metrics)
belongs to the house's own tenant; plans, tasks and sessions to the tenant of who made them.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from opsmith.errors import AskError, NotFound
from opsmith.nouns.session import HOUSE, Principal, Role

# Whoever holds the one key, a trusted certificate, or sits at this machine: runs the installation.
HTTP = Principal(name="http", role=Role.ADMIN, everywhere=True, named=False)


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


def insider(request: Request) -> Principal:
    """The principal, who must be of the house's own tenant. Raises `NotAllowed`."""
    found = who(request)
    if not found.sees(HOUSE):
        raise NotAllowed(f"This belongs to the tenant {HOUSE!r}, and you are of another one.")
    return found


def there(request: Request) -> None:
    """One thing of the house, which does not exist for other tenants. Raises `NotFound`."""
    if not who(request).sees(HOUSE):
        raise NotFound(f"There is nothing called {request.path_params.get('name', '')[:80]!r}.")


Caller = Annotated[Principal, Depends(who)]
Operator = Annotated[Principal, Depends(operator)]
There = Depends(there)
