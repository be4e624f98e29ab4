"""The lab's own HTTP face over processes that are only written down."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import uvicorn
from opsmith_lab.acts import Acts
from opsmith_lab.control import Face
from opsmith_lab.injector import Injector
from opsmith_lab.layout import Lab, plan
from opsmith_lab.rollouts import Rollouts
from opsmith_lab.supervisor import Supervisor


class Rehearsal(Supervisor):
    """A supervisor whose processes only count their restarts."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab)
        alive = SimpleNamespace(poll=lambda: None)
        names = ("cart", "payments", "checkout", "valkey", "postgres", "orders")
        self.children = {  # type: ignore[assignment]
            name: SimpleNamespace(restarts=0, process=alive) for name in names
        }

    async def restart(self, name: str, version: str | None = None) -> None:
        if version is not None:
            self.versions[name] = version
        self.children[name].restarts += 1

    def allow(self, name: str, *, cores: float, memory_mb: int) -> None:
        self.quotas[name] = (cores, memory_mb)


@asynccontextmanager
async def rehearsed_lab(folder: Path) -> AsyncIterator[Lab]:
    """A lab that answers on loopback and of which `lab.json` tells."""
    lab = plan(folder, seed=1, rps=5, scrape_s=5)
    lab.save()
    supervisor = Rehearsal(lab)
    rollouts = Rollouts(supervisor)
    injector = Injector(supervisor, rollouts)
    acts = Acts(supervisor, rollouts, reconnect=injector.reconnect)
    face = Face(supervisor=supervisor, injector=injector, acts=acts)
    config = uvicorn.Config(
        face.application(),
        host="127.0.0.1",
        port=lab.ports["supervisor"],
        log_level="critical",
        lifespan="off",
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    limit = time.monotonic() + 20
    while not server.started and time.monotonic() < limit:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    try:
        yield lab
    finally:
        server.should_exit = True
        await serving
