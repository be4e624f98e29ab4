"""Routes for signs: anomalies and early warnings, and what people say of them."""

from __future__ import annotations

from fastapi import APIRouter

from opsmith.http.shapes import LabelShape, SignShape
from opsmith.http.who import Caller, Operator, There
from opsmith.nouns.session import HOUSE
from opsmith.wiring.live import App


def routes(app: App) -> APIRouter:
    """All routes under /v1 that are about signs."""
    router = APIRouter(prefix="/v1", tags=["signs"])

    @router.get("/signs")
    async def signs(by: Caller, limit: int = 100) -> list[SignShape]:
        """Anomalies and early warnings, the newest first."""
        if not by.sees(HOUSE):
            return []
        return [SignShape.of(one) for one in tuple(reversed(app.signs.newest()))[: max(0, limit)]]

    @router.post("/signs/{name}/label", dependencies=[There])
    async def label(name: str, word: LabelShape, by: Operator) -> SignShape:
        """Say what an anomaly really was; its series' threshold follows."""
        return SignShape.of(await app.signs.label(name, word.said, by=by))

    return router
