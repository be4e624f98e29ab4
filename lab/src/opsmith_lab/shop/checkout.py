"""checkout: turns a cart into an order: reserve, charge, write down, tell the queue."""

from __future__ import annotations

from starlette.requests import Request

from opsmith_lab.shop.process import ShopProcess, rows_of
from opsmith_lab.shop.serve import Endpoint


def routes(process: ShopProcess) -> list[tuple[str, str, Endpoint]]:
    """One route: place an order."""
    del process
    return [("POST", "/orders", place)]


async def place(shop: ShopProcess, request: Request) -> dict[str, object]:
    """Place the order of one user."""
    user = str((await request.json())["user"])
    cart = await shop.call("cart", "GET", f"/carts/{user}", route="/carts/{user}")
    lines = rows_of(cart.get("lines"))
    if shop.leaves_early():
        return {"order": None}
    shop.log.info("placing an order of %d products for %s", len(lines), user)
    reserved = await shop.call(
        "inventory", "POST", "/reservations", route="/reservations", body={"lines": lines}
    )
    amount = sum(int(str(line["count"])) * 1000 for line in lines)
    charge = {"user": user, "amount": amount}
    paid = await shop.call("payments", "POST", "/charges", route="/charges", body=charge)
    rows = await shop.database.run(
        "INSERT INTO orders (customer, amount) VALUES ($1, $2) RETURNING id", user, amount
    )
    order = rows[0]["id"]
    shop.volume.journal(f"{order} {user} {amount}")
    await shop.queue.send({"order": str(order), "user": user})
    await shop.call("cart", "DELETE", f"/carts/{user}", route="/carts/{user}")
    shop.log.info("order %s of %s is complete", order, user)
    return {
        "order": order,
        "payment": paid.get("payment"),
        "reservation": reserved.get("reservation"),
        "lines": len(lines),
    }
