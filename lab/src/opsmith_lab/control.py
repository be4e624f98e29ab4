"""`python -m opsmith_lab.control DATA`: the lab's daemon; its HTTP face on loopback.

What changes the lab needs the token in `lab.json`; metrics and the Alertmanager webhook do not.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import click
import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from opsmith_lab import exporters, servers
from opsmith_lab.acts import Acts, NotAnAct
from opsmith_lab.components import ComponentMissing
from opsmith_lab.injector import Injector, NotPossible, injection
from opsmith_lab.layout import Lab
from opsmith_lab.rollouts import Rollouts
from opsmith_lab.settings import NotASetting
from opsmith_lab.shop.errors import Failed
from opsmith_lab.shop.process import as_object
from opsmith_lab.supervisor import NotStarted, Supervisor

Reply = Callable[[Request], Awaitable[Response]]


@click.command()
@click.argument("data", type=click.Path(path_type=Path))
def main(data: Path) -> None:
    """Run the lab in the folder DATA until it is told to stop."""
    asyncio.run(_run(Lab.load(data)))


async def _run(lab: Lab) -> None:
    supervisor = Supervisor(lab)
    rollouts = Rollouts(supervisor)
    injector = Injector(supervisor, rollouts)
    acts = Acts(supervisor, rollouts, reconnect=injector.reconnect)
    face = Face(supervisor=supervisor, injector=injector, acts=acts)
    server = uvicorn.Server(
        uvicorn.Config(
            face.application(),
            host="127.0.0.1",
            port=lab.ports["supervisor"],
            log_level="warning",
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
    )
    loop = asyncio.get_running_loop()
    serving = loop.create_task(server.serve())
    ending = loop.create_task(face.stop_asked.wait())
    try:
        await supervisor.start()
        keeping = loop.create_task(supervisor.keep_alive())
        # A crash of the keeper ends the lab as well: better no shop than one nobody looks after.
        await asyncio.wait({serving, ending, keeping}, return_when=asyncio.FIRST_COMPLETED)
        keeping.cancel()
    except (NotStarted, ComponentMissing, OSError) as error:
        (lab.data / "failed.txt").write_text(str(error), encoding="utf-8")
    finally:
        ending.cancel()
        await asyncio.to_thread(supervisor.stop)
        server.should_exit = True
        await serving


@dataclass(slots=True, kw_only=True)
class Face:
    """What the daemon answers."""

    supervisor: Supervisor
    injector: Injector
    acts: Acts
    stop_asked: asyncio.Event = field(default_factory=asyncio.Event)

    def application(self) -> Starlette:
        """All routes; those that change the lab are guarded."""
        lab = self.supervisor.lab
        return Starlette(
            routes=[
                Route("/status", self.status),
                Route("/faults", _guarded(lab, self.inject), methods=["POST"]),
                Route("/entities/{entity}", _guarded(lab, self.state)),
                Route("/entities/{entity}/{action}", _guarded(lab, self.act), methods=["POST"]),
                Route("/stop", _guarded(lab, self.end), methods=["POST"]),
                Route("/webhook", self.webhook, methods=["POST"]),
                Route("/metrics/containers", self.containers),
                Route("/metrics/stores", self.stores),
            ]
        )

    async def status(self, request: Request) -> Response:
        """Every process, and every fault that was asked for."""
        del request
        return JSONResponse(_status(self.supervisor, self.injector))

    async def inject(self, request: Request) -> Response:
        """Schedule a fault."""
        try:
            asked = orjson.loads(await request.body())
            wanted = injection(
                str(asked["name"]),
                target=asked.get("target"),
                strength=float(asked["strength"]),
                after_s=float(asked["after_s"]),
                for_s=float(asked["for_s"]),
            )
        except (NotPossible, KeyError, TypeError, ValueError) as error:
            return JSONResponse({"error": str(error)}, status_code=422)
        return JSONResponse(self.injector.schedule(wanted))

    async def state(self, request: Request) -> Response:
        """What is known of one entity, and what can be done to it."""
        try:
            return JSONResponse(self.acts.state(request.path_params["entity"]))
        except NotAnAct as error:
            return JSONResponse({"error": str(error)}, status_code=404)

    async def act(self, request: Request) -> Response:
        """Do one action to one entity; the body holds its values, if it takes any."""
        try:
            values = as_object(orjson.loads(await request.body() or b"{}"))
            where = request.path_params
            return JSONResponse(await self.acts.do(where["entity"], where["action"], values))
        except (NotAnAct, NotASetting, Failed, orjson.JSONDecodeError) as error:
            return JSONResponse({"error": str(error)}, status_code=422)

    async def end(self, request: Request) -> Response:
        """Stop everything, this process last."""
        del request
        self.stop_asked.set()
        return JSONResponse({"stopping": True})

    async def webhook(self, request: Request) -> Response:
        """Keep what Alertmanager sends, as it was sent."""
        kept = {"received_at": datetime.now(UTC).isoformat()}
        kept["payload"] = orjson.loads(await request.body())
        with (self.supervisor.lab.data / "webhooks.jsonl").open("ab") as file:
            file.write(orjson.dumps(kept) + b"\n")
        return Response(status_code=204)

    async def containers(self, request: Request) -> Response:
        """Metrics of the quotas."""
        del request
        restarts = {name: child.restarts for name, child in self.supervisor.children.items()}
        text = exporters.containers(self.supervisor.governor, restarts)
        return Response(text, media_type="text/plain")

    async def stores(self, request: Request) -> Response:
        """Metrics of the database, the cache and the queue."""
        del request
        return Response(await exporters.stores(self.supervisor.lab), media_type="text/plain")


def _guarded(lab: Lab, reply: Reply) -> Reply:
    """Only who can read `lab.json` may change the lab."""

    async def guarded(request: Request) -> Response:
        if not secrets.compare_digest(request.headers.get("x-lab-token", ""), lab.token):
            return JSONResponse({"error": "the token of lab.json is missing"}, status_code=403)
        return await reply(request)

    return guarded


def _status(supervisor: Supervisor, injector: Injector) -> dict[str, object]:
    lab = supervisor.lab
    return {
        "ready": supervisor.ready,
        "rps": lab.rps,
        "seed": lab.seed,
        "shop": lab.url("frontend"),
        "prometheus": lab.url("prometheus"),
        "alertmanager": lab.url("alertmanager"),
        "opsmith": lab.url("opsmith") if lab.live else None,
        "opsmith_data": str(lab.data / "opsmith") if lab.live else None,
        "opsmith_environment": servers.opsmith_environment(lab) if lab.live else None,
        "processes": {
            name: {
                "pid": child.process.pid,
                "running": child.process.poll() is None,
                "restarts": child.restarts,
                "version": supervisor.versions.get(name),
            }
            for name, child in supervisor.children.items()
        },
        "injections": injector.record,
    }


if __name__ == "__main__":
    main()
