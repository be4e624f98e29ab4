"""catalogue: products and prices, in the database, single products kept in the cache."""

from __future__ import annotations

import asyncio

import orjson
from starlette.requests import Request

from opsmith_lab.shop.errors import Failed
from opsmith_lab.shop.process import ShopProcess, as_object
from opsmith_lab.shop.serve import Endpoint
from opsmith_lab.shop.work import compute

CACHED_S = 600
# Processor time that the service would need without its cache, as a share of its quota; and the
# share of the users who look at one product.
UNCACHED_NEED = 1.3
ASKED_SHARE = 0.3


def routes(process: ShopProcess) -> list[tuple[str, str, Endpoint]]:
    """Lists, single products, and several at once."""
    process.tasks.add(asyncio.get_running_loop().create_task(_warm(process)))
    return [
        ("GET", "/products", listing),
        ("GET", "/products/{number:int}", one),
        ("GET", "/prices", prices),
    ]


async def listing(shop: ShopProcess, request: Request) -> dict[str, object]:
    """The front page's products, always with today's prices."""
    del request
    if shop.leaves_early():
        return {"products": []}
    rows = await shop.database.run(
        "SELECT id, name, price FROM products ORDER BY id LIMIT 12 OFFSET $1",
        shop.rng.randrange(80),
    )
    shop.log.info("listed %d products", len(rows))
    return {"products": rows}


async def one(shop: ShopProcess, request: Request) -> dict[str, object]:
    """One product, from the cache when it is there."""
    number = int(request.path_params["number"])
    if shop.leaves_early():
        return {}
    kept = await shop.cache.get(f"product:{number}")
    if kept is not None:
        shop.log.info("product %d found in the cache", number)
        return as_object(orjson.loads(kept))
    rows = await shop.database.run(
        "SELECT id, name, price, description FROM products WHERE id = $1", number
    )
    if not rows:
        raise Failed(f"there is no product {number}")
    quota = shop.spec.cpu_cores * UNCACHED_NEED
    await compute(quota / (shop.lab.rps * ASKED_SHARE))
    await shop.cache.keep(f"product:{number}", orjson.dumps(rows[0]).decode(), for_s=CACHED_S)
    shop.log.info("product %d read from the database", number)
    return rows[0]


async def prices(shop: ShopProcess, request: Request) -> dict[str, object]:
    """Names and prices of the products that are asked for."""
    numbers = [int(word) for word in request.query_params["ids"].split(",")]
    if shop.leaves_early():
        return {"products": []}
    rows = await shop.database.run(
        "SELECT id, name, price FROM products WHERE id = ANY($1::int[])", numbers
    )
    shop.log.info("priced %d products", len(rows))
    return {"products": rows}


async def _warm(shop: ShopProcess) -> None:
    """Begin with a cache filled by the nightly job, whose computing is not the shop's."""
    rows = await shop.database.run("SELECT id, name, price, description FROM products")
    kept = {f"product:{row['id']}": orjson.dumps(row).decode() for row in rows}
    await shop.cache.keep_all(kept, for_s=CACHED_S)
