"""recommendation: picks products by a small scoring model; the catalogue tells their prices."""

from __future__ import annotations

import math

from starlette.requests import Request

from opsmith_lab.shop.process import ShopProcess
from opsmith_lab.shop.serve import Endpoint

PRODUCTS = 100
PICKS = 4


def routes(process: ShopProcess) -> list[tuple[str, str, Endpoint]]:
    """One route: the picks for a user or beside a product."""
    del process
    return [("GET", "/recommendations", picks)]


async def picks(shop: ShopProcess, request: Request) -> dict[str, object]:
    """The best few products by score, priced."""
    seen = request.query_params.get("product") or request.query_params.get("user", "0")
    trend = await shop.cache.get("trend")
    best = _best(sum(seen.encode()), float(trend or 0.0))
    if shop.leaves_early():
        return {"picks": []}
    shop.log.info("scored %d products for %s", PRODUCTS, seen)
    ids = ",".join(str(number) for number in best)
    answer = await shop.call("catalogue", "GET", f"/prices?ids={ids}", route="/prices")
    await shop.cache.run("SET", "trend", str(sum(best) / len(best)), "EX", 60)
    shop.log.info("recommended %s", ids)
    return {"picks": answer.get("products")}


def _best(seed: int, trend: float) -> list[int]:
    scores = [
        (math.sin(seed * 12.9898 + number * 78.233 + trend), number)
        for number in range(1, PRODUCTS + 1)
    ]
    return [number for _, number in sorted(scores, reverse=True)[:PICKS]]
