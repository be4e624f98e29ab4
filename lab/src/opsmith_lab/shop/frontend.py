"""frontend: the entrance; builds each page from what the services behind it answer."""

from __future__ import annotations

from starlette.requests import Request

from opsmith_lab.shop.process import ShopProcess, rows_of
from opsmith_lab.shop.serve import Endpoint


def routes(process: ShopProcess) -> list[tuple[str, str, Endpoint]]:
    """The pages of the shop."""
    del process
    return [
        ("GET", "/", home),
        ("GET", "/product/{number:int}", product),
        ("POST", "/cart", add_to_cart),
        ("POST", "/checkout", checkout),
    ]


async def home(shop: ShopProcess, request: Request) -> dict[str, object]:
    """The front page: products, and picks for this user."""
    user = request.query_params.get("user", "anonymous")
    listing = await shop.call("catalogue", "GET", "/products", route="/products")
    page: dict[str, object] = {"products": rows_of(listing.get("products"))}
    if shop.leaves_early():
        return _counted(shop, "/", page, "picks")
    page["picks"] = await _picks(shop, f"user={user}")
    shop.log.info("home page built for %s", user)
    return _counted(shop, "/", page, "products", "picks")


async def product(shop: ShopProcess, request: Request) -> dict[str, object]:
    """One product, and picks that go with it."""
    number = request.path_params["number"]
    path = f"/products/{number}"
    page = await shop.call("catalogue", "GET", path, route="/products/{number}")
    if shop.leaves_early():
        return _counted(shop, "/product/{number}", page, "picks")
    page["picks"] = await _picks(shop, f"product={number}")
    shop.log.info("product page built for %s", number)
    return _counted(shop, "/product/{number}", page, "name", "picks")


async def add_to_cart(shop: ShopProcess, request: Request) -> dict[str, object]:
    """Put a product into the cart of a user."""
    order = await request.json()
    if shop.leaves_early():
        return _counted(shop, "/cart", {}, "items")
    path = f"/carts/{order['user']}/items"
    page = await shop.call("cart", "POST", path, route="/carts/{user}/items", body=order)
    shop.log.info("cart of %s holds %s products", order["user"], page.get("items"))
    return _counted(shop, "/cart", page, "items")


async def checkout(shop: ShopProcess, request: Request) -> dict[str, object]:
    """Buy what is in the cart of a user."""
    order = await request.json()
    if shop.leaves_early():
        return _counted(shop, "/checkout", {}, "order")
    page = await shop.call("checkout", "POST", "/orders", route="/orders", body=order)
    shop.log.info("order %s placed by %s", page.get("order"), order["user"])
    return _counted(shop, "/checkout", page, "order", "payment", "reservation")


def _counted(
    shop: ShopProcess, route: str, page: dict[str, object], *parts: str
) -> dict[str, object]:
    """The page, counted as complete when each of its parts is there."""
    complete = all(page.get(part) for part in parts)
    shop.meters.pages.labels(route, str(complete).lower()).inc()
    return page


async def _picks(shop: ShopProcess, query: str) -> list[dict[str, object]]:
    path = f"/recommendations?{query}"
    answer = await shop.call("recommendation", "GET", path, route="/recommendations")
    return rows_of(answer.get("picks"))
