"""Routes for incidents: list, show, and what people say of them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Query
from fastapi.responses import FileResponse, StreamingResponse

from opsmith.errors import NotFound
from opsmith.http.events import Bus
from opsmith.http.graph_shapes import SubgraphShape
from opsmith.http.shapes import BlameShape, IncidentShape, MergeShape, SplitShape
from opsmith.http.who import Caller, Operator, There
from opsmith.nouns.session import HOUSE
from opsmith.wiring.graph import HOPS, MOST
from opsmith.wiring.live import App


def routes(app: App, bus: Bus) -> APIRouter:
    """All routes under /v1 that are about incidents."""
    router = APIRouter(prefix="/v1", tags=["incidents"])

    @router.get("/incidents")
    async def incidents(by: Caller, limit: int = 100) -> list[IncidentShape]:
        """The incidents, the one that changed last first."""
        if not by.sees(HOUSE):
            return []
        return [IncidentShape.of(one) for one in app.watch.incidents()[: max(0, limit)]]

    @router.get("/incidents/{name}", dependencies=[There])
    async def incident(name: str) -> IncidentShape:
        """One incident."""
        return IncidentShape.of(app.watch.incident(name))

    @router.get("/incidents/{name}/report.html", dependencies=[There])
    async def report(name: str) -> FileResponse:
        """The report of the last look, one self-contained page."""
        path = await app.looks.report(app.watch.incident(name).id)
        if path is None:
            raise NotFound(f"Incident {name} has no report yet.")
        return FileResponse(path, media_type="text/html")

    @router.get("/incidents/{name}/graph", dependencies=[There])
    async def graph(name: str, hops: Annotated[int, Query(ge=1, le=5)] = HOPS) -> SubgraphShape:
        """What lies around the incident in the graph: nodes, and links with their weights."""
        known = app.watch.incident(name).id
        return SubgraphShape.of(await app.memory.slice(known, hops=hops, most=MOST))

    @router.get("/events")
    async def events(by: Caller) -> StreamingResponse:
        """A stream of `incident`, `sign`, `plan`, `task` events, each with the id of what changed.

        What any process does to plans is told within half a second, to tasks within two.
        """
        return StreamingResponse(bus.listen(by), media_type="text/event-stream")

    _sayings(router, app)
    return router


def _sayings(router: APIRouter, app: App) -> None:
    """Confirm, reject, merge, split."""

    @router.post("/incidents/{name}/confirm", dependencies=[There])
    async def confirm(
        name: str, by: Operator, cause: Annotated[BlameShape | None, Body()] = None
    ) -> IncidentShape:
        """Say that the verdict is right, or what the cause was."""
        blame = cause.blame() if cause else None
        return IncidentShape.of(
            await app.watch.confirm(name, blame, principal=by.name, tenant=by.tenant)
        )

    @router.post("/incidents/{name}/reject", dependencies=[There])
    async def reject(name: str, by: Operator) -> IncidentShape:
        """Say that the verdict is wrong."""
        return IncidentShape.of(await app.watch.reject(name, principal=by.name, tenant=by.tenant))

    @router.post("/incidents/{name}/merge", dependencies=[There])
    async def merge(name: str, wanted: MergeShape, by: Operator) -> IncidentShape:
        """Take the alerts of another incident."""
        return IncidentShape.of(
            await app.watch.merge(name, wanted.other, principal=by.name, tenant=by.tenant)
        )

    @router.post("/incidents/{name}/split", dependencies=[There])
    async def split(name: str, wanted: SplitShape, by: Operator) -> list[IncidentShape]:
        """Move some alerts to an incident of their own."""
        alerts = frozenset(wanted.alerts)
        return [
            IncidentShape.of(part)
            for part in await app.watch.split(name, alerts, principal=by.name, tenant=by.tenant)
        ]
