"""`python -m opsmith_lab.shop NAME DATA`: run one service of the shop until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from pathlib import Path

import click
import uvicorn

from opsmith_lab import settings
from opsmith_lab.faults import orders
from opsmith_lab.faults.fault import End
from opsmith_lab.faults.table import FAULTS
from opsmith_lab.layout import SERVICES, Lab
from opsmith_lab.shop import (
    cart,
    catalogue,
    checkout,
    frontend,
    inventory,
    notifier,
    payments,
    recommendation,
    telemetry,
)
from opsmith_lab.shop.process import ShopProcess, opened
from opsmith_lab.shop.serve import Endpoint, application

ROUTES: dict[str, Callable[[ShopProcess], list[tuple[str, str, Endpoint]]]] = {
    "frontend": frontend.routes,
    "catalogue": catalogue.routes,
    "recommendation": recommendation.routes,
    "cart": cart.routes,
    "checkout": checkout.routes,
    "inventory": inventory.routes,
    "payments": payments.routes,
    "notifier": notifier.routes,
}


@click.command()
@click.argument("name", type=click.Choice(list(ROUTES)))
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--version", "release", required=True)
def main(name: str, data: Path, release: str) -> None:
    """Run the service NAME of the lab in the folder DATA."""
    asyncio.run(_run(name, Lab.load(data), release))


async def _run(name: str, lab: Lab, release: str) -> None:
    tools = telemetry.start(service=name, version=release, spool=lab.data / "spool", otlp=lab.otlp)
    spec = settings.applied(SERVICES[name], settings.read(lab, name))
    async with opened(lab, name, spec, tools, release) as process:
        table = ROUTES[name](process)

        def begin(order: orders.Order) -> End | None:
            inside = FAULTS[order.fault].begin
            here = order.version in ("", release)
            return inside(process, order.strength) if inside and here else None

        faults = orders.follow(lab.data / "faults" / f"{name}.json", begin)
        process.tasks.add(asyncio.get_running_loop().create_task(faults))
        gc.freeze()
        config = uvicorn.Config(
            application(process, table),
            host="127.0.0.1",
            port=lab.ports[name],
            log_level="warning",
            access_log=False,
            lifespan="off",
            # Longer than callers keep an idle connection, so that none is closed under a request.
            timeout_keep_alive=75,
            timeout_graceful_shutdown=2,
        )
        process.log.info("version %s starts", release)
        await uvicorn.Server(config).serve()


if __name__ == "__main__":
    main()
