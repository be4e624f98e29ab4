"""/v1/plans: changes under control, each by a principal of its own."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from opsmith.http.who import Caller, Operator
from opsmith.nouns.plan import Denied, Dossier, Outcome
from opsmith.wiring.act import proposal
from opsmith.wiring.live import App
from opsmith.wiring.plan_shapes import (
    judgement_shape,
    mark_shape,
    outcome_shape,
    plan_shape,
    read_shape,
)

REFUSED = 403
MOST = 1000


class WantedShape(BaseModel):
    """One action on one target, and why. values: as strings, typed by the action's schema."""

    model_config = ConfigDict(extra="forbid")

    action: str = Field(max_length=100, examples=["service.restart"])
    target: str = Field(max_length=600, examples=["service:cart"])
    values: dict[str, str] = Field(default={}, max_length=100)
    why: str = Field(min_length=1, max_length=1000)
    incident: str = Field(default="", max_length=64)


def routes(app: App) -> APIRouter:
    """The routes for plans, those of the caller's tenant; who may not change anything may look."""
    router = APIRouter(prefix="/v1/plans", tags=["plans"])
    _shown(router, app)
    _decided(router, app)
    return router


def _shown(router: APIRouter, app: App) -> None:
    @router.get("")
    async def plans(
        by: Caller, limit: Annotated[int, Query(ge=1, le=MOST)] = MOST
    ) -> list[dict[str, object]]:
        """The plans, the one that changed last first."""
        control = app.control
        return [read_shape(one, control.actions) for one in (await control.plans(by=by))[:limit]]

    @router.get("/{name}")
    async def plan(name: str, by: Caller) -> dict[str, object]:
        """One plan with what was done; abandoned: it says `running` and nobody carries it out."""
        control = app.control
        dossier, acts = await control.plan(name, by=by), await control.acts(name, by=by)
        shape = read_shape(dossier, control.actions, acts)
        return {**shape, "abandoned": await control.is_abandoned(dossier)}

    @router.get("/{name}/trail")
    async def trail(name: str, by: Caller) -> list[dict[str, object]]:
        """Every record that it left on the ledger, oldest first."""
        return [mark_shape(one) for one in await app.control.trail(name, by=by)]

    @router.post("")
    async def propose(wanted: WantedShape, by: Operator) -> JSONResponse:
        """Rehearse an action and say what policy wants; nothing is changed."""
        words = [f"{name}={value}" for name, value in wanted.values.items()]
        asked = proposal(
            wanted.action, wanted.target, words, why=wanted.why, incident=wanted.incident
        )
        return _answer(await app.control.propose(asked, by=by))


def _decided(router: APIRouter, app: App) -> None:
    @router.post("/{name}/approve")
    async def approve(name: str, by: Operator) -> JSONResponse:
        """Say yes as the principal that you are."""
        return _answer(await app.control.approve(name, by=by))

    @router.post("/{name}/reject")
    async def reject(name: str, by: Operator) -> JSONResponse:
        """Say no; it is never carried out."""
        return _answer(await app.control.reject(name, by=by))

    @router.post("/{name}/run")
    async def run(name: str, by: Operator) -> JSONResponse:
        """Carry it out and wait for what comes of it; 403 when a door is closed."""
        return _answer(await app.control.run(name, by=by))

    @router.post("/{name}/undo")
    async def undo(name: str, by: Operator) -> JSONResponse:
        """Take back what it did."""
        return _answer(await app.control.undo(name, by=by))


def _answer(answer: Dossier | Outcome | Denied) -> JSONResponse:
    match answer:
        case Denied():
            return JSONResponse({"denied": judgement_shape(answer)}, status_code=REFUSED)
        case Outcome():
            return JSONResponse(outcome_shape(answer))
        case Dossier(judgement=Denied()):
            return JSONResponse(plan_shape(answer), status_code=REFUSED)
        case _:
            return JSONResponse(plan_shape(answer))
