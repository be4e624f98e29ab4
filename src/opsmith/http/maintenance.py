"""Routes for maintenance windows."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from opsmith.http.shapes import WantedWindow, WindowShape
from opsmith.http.who import Caller, Operator, There, insider
from opsmith.nouns.session import HOUSE
from opsmith.wiring.live import App


def routes(app: App) -> APIRouter:
    """All routes under /v1 that are about maintenance."""
    router = APIRouter(prefix="/v1", tags=["maintenance"])

    @router.get("/maintenance")
    async def windows(by: Caller) -> list[WindowShape]:
        """The windows that are on or to come."""
        if not by.sees(HOUSE):
            return []
        return [WindowShape.of(window) for window in await app.quiet.windows()]

    @router.post("/maintenance", status_code=201, dependencies=[Depends(insider)])
    async def add(wanted: WantedWindow, by: Operator) -> WindowShape:
        """Set a window; it is on the ledger when answered."""
        made = await app.quiet.add(
            wanted.matchers(),
            starts_at=wanted.starts_at,
            minutes=wanted.minutes,
            by=by,
            why=wanted.why,
        )
        return WindowShape.of(made)

    @router.post("/maintenance/{name}/end", dependencies=[There])
    async def end(name: str, by: Operator) -> WindowShape:
        """End a window now."""
        return WindowShape.of(await app.quiet.end(name, by=by))

    return router
