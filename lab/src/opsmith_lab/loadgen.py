"""`python -m opsmith_lab.loadgen DATA`: users who arrive at random, the same ones for each seed.

Open loop: the next user comes whether or not the last was served (Schroeder, Wierman &
Harchol-Balter, NSDI 2006), so that a slow shop is not spared.
"""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import click
import httpx

from opsmith_lab.layout import ENTRANCE, PRODUCTS, USERS, Lab

PATIENCE_S = 10.0
# More than this many at once are turned away by the generator, not by the shop.
MOST_AT_ONCE = 150

# What a user does next, and how often.
STEPS = (("home", 0.3), ("product", 0.3), ("cart", 0.22), ("checkout", 0.18))


@click.command()
@click.argument("data", type=click.Path(path_type=Path))
def main(data: Path) -> None:
    """Send users to the lab in the folder DATA."""
    asyncio.run(_run(Lab.load(data)))


async def _run(lab: Lab) -> None:
    rng = random.Random(lab.seed)
    loop = asyncio.get_running_loop()
    visits: set[asyncio.Task[None]] = set()
    due = loop.time()
    async with httpx.AsyncClient(base_url=lab.url(ENTRANCE), timeout=PATIENCE_S) as client:
        while True:
            due += rng.expovariate(lab.rps)
            step = rng.choices([name for name, _ in STEPS], [share for _, share in STEPS])[0]
            user = f"user-{rng.randrange(USERS)}"
            # Few products are popular: Zipf's law, as in real shops.
            product = min(PRODUCTS, int(rng.paretovariate(0.9)))
            await asyncio.sleep(max(0.0, due - loop.time()))
            if len(visits) < MOST_AT_ONCE:
                visit = loop.create_task(_visit(client, step, user, product))
                visits.add(visit)
                visit.add_done_callback(visits.discard)


async def _visit(client: httpx.AsyncClient, step: str, user: str, product: int) -> None:
    try:
        match step:
            case "home":
                await client.get("/", params={"user": user})
            case "product":
                await client.get(f"/product/{product}")
            case "cart":
                await client.post("/cart", json={"user": user, "product": product})
            case _:
                await client.post("/checkout", json={"user": user})
    except httpx.HTTPError:
        return  # a user who gives up; the shop's own metrics tell of it


if __name__ == "__main__":
    main()
