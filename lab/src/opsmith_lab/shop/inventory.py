"""inventory: stock and reservations, all in the database."""

from __future__ import annotations

from starlette.requests import Request

from opsmith_lab.shop.process import ShopProcess, rows_of
from opsmith_lab.shop.serve import Endpoint


def routes(process: ShopProcess) -> list[tuple[str, str, Endpoint]]:
    """One route: reserve stock."""
    del process
    return [("POST", "/reservations", reserve)]


async def reserve(shop: ShopProcess, request: Request) -> dict[str, object]:
    """Reserve stock for every line of an order."""
    lines = rows_of((await request.json())["lines"])
    if shop.leaves_early():
        return {"reservation": None}
    # One order of updates for everybody, so that two reservations never wait for each other.
    numbers = sorted(int(str(line["product"])) for line in lines)
    rows = await shop.database.run(
        "UPDATE stock SET reserved = reserved + 1"
        " WHERE product = ANY($1::int[]) RETURNING product",
        numbers,
    )
    shop.log.info("stock lowered for %d products", len(rows))
    made = await shop.database.run(
        "INSERT INTO reservations (products) VALUES ($1::int[]) RETURNING id", numbers
    )
    shop.volume.journal(f"{made[0]['id']} {numbers}")
    shop.log.info("reservation %s made", made[0]["id"])
    return {"reservation": made[0]["id"]}
