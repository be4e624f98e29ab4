"""recommendation: picks products by a small scoring model; the catalogue tells their prices."""

from __future__ import annotations

import asyncio
import math

from starlette.requests import Request

from opsmith_lab.layout import PRODUCTS, USERS
from opsmith_lab.shop.process import ShopProcess
from opsmith_lab.shop.serve import Endpoint
from opsmith_lab.shop.work import compute

PICKS = 4
CACHED_S = 600
# As in the catalogue: what it would need without its cache, as a share of its quota, and the
# share of the users who are shown picks.
UNCACHED_NEED = 1.3
ASKED_SHARE = 0.6


def routes(process: ShopProcess) -> list[tuple[str, str, Endpoint]]:
    """One route: the picks for a user or beside a product."""
    process.tasks.add(asyncio.get_running_loop().create_task(_warm(process)))
    return [("GET", "/recommendations", picks)]


async def picks(shop: ShopProcess, request: Request) -> dict[str, object]:
    """The best few products by score, priced."""
    seen = request.query_params.get("product") or request.query_params.get("user", "0")
    best = await _kept_or_scored(shop, seen)
    if shop.leaves_early():
        return {"picks": []}
    shop.log.info("picked %d of %d products for %s", PICKS, PRODUCTS, seen)
    ids = ",".join(str(number) for number in best)
    answer = await shop.call("catalogue", "GET", f"/prices?ids={ids}", route="/prices")
    await shop.cache.keep("trend", str(sum(best) / len(best)), for_s=CACHED_S)
    shop.log.info("recommended %s", ids)
    return {"picks": answer.get("products")}


async def _warm(shop: ShopProcess) -> None:
    """Begin with a cache filled by the nightly job, whose computing is not the shop's."""
    asked = [*map(str, range(1, PRODUCTS + 1)), *(f"user-{number}" for number in range(USERS))]
    kept = {f"picks:{seen}": ",".join(map(str, _best(sum(seen.encode()), 0.0))) for seen in asked}
    await shop.cache.keep_all(kept, for_s=CACHED_S)


async def _kept_or_scored(shop: ShopProcess, seen: str) -> list[int]:
    """The picks from the cache when they are there."""
    kept = await shop.cache.get(f"picks:{seen}")
    if kept is not None:
        return list(map(int, kept.split(",")))
    trend = await shop.cache.get("trend")
    await compute(shop.spec.cpu_cores * UNCACHED_NEED / (shop.lab.rps * ASKED_SHARE))
    best = _best(sum(seen.encode()), float(trend or 0.0))
    await shop.cache.keep(f"picks:{seen}", ",".join(map(str, best)), for_s=CACHED_S)
    shop.log.info("scored %d products for %s", PRODUCTS, seen)
    return best


def _best(seed: int, trend: float) -> list[int]:
    scores = [
        (math.sin(seed * 12.9898 + number * 78.233 + trend), number)
        for number in range(1, PRODUCTS + 1)
    ]
    return [number for _, number in sorted(scores, reverse=True)[:PICKS]]
