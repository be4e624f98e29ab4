"""cart: what each user means to buy, kept in the cache server."""

from __future__ import annotations

from starlette.requests import Request

from opsmith_lab.shop.process import ShopProcess
from opsmith_lab.shop.serve import Endpoint

KEPT_S = 600
LARGEST = 6


def routes(process: ShopProcess) -> list[tuple[str, str, Endpoint]]:
    """Add, look, empty."""
    del process
    return [
        ("POST", "/carts/{user}/items", add),
        ("GET", "/carts/{user}", show),
        ("DELETE", "/carts/{user}", clear),
    ]


async def add(shop: ShopProcess, request: Request) -> dict[str, object]:
    """Put one product into a cart."""
    user, order = request.path_params["user"], await request.json()
    if shop.leaves_early():
        return {}
    await shop.cache.run("HINCRBY", f"cart:{user}", str(order["product"]), 1)
    await shop.cache.run("EXPIRE", f"cart:{user}", KEPT_S)
    size = await shop.cache.run("HLEN", f"cart:{user}")
    shop.log.info("added product %s to the cart of %s", order["product"], user)
    return {"items": size}


async def show(shop: ShopProcess, request: Request) -> dict[str, object]:
    """The products of one cart and how many of each."""
    user = request.path_params["user"]
    if shop.leaves_early():
        return {"lines": []}
    found = await shop.cache.run("HGETALL", f"cart:{user}")
    lines = found.items() if isinstance(found, dict) else ()
    shop.log.info("cart of %s read", user)
    return {
        "lines": [{"product": int(product), "count": int(count)} for product, count in lines][
            :LARGEST
        ]
    }


async def clear(shop: ShopProcess, request: Request) -> dict[str, object]:
    """Empty a cart once it was bought."""
    user = request.path_params["user"]
    await shop.cache.run("DEL", f"cart:{user}")
    shop.log.info("cart of %s emptied", user)
    return {}
