"""payments: signs and books a charge."""

from __future__ import annotations

import hashlib

from starlette.requests import Request

from opsmith_lab.shop.process import ShopProcess
from opsmith_lab.shop.serve import Endpoint

# About a millisecond of real work; a key derivation stands where a card token is signed.
ROUNDS = 1500


def routes(process: ShopProcess) -> list[tuple[str, str, Endpoint]]:
    """One route: charge."""
    del process
    return [("POST", "/charges", charge)]


async def charge(shop: ShopProcess, request: Request) -> dict[str, object]:
    """Charge a user once."""
    order = await request.json()
    token = hashlib.pbkdf2_hmac("sha256", str(order["user"]).encode(), b"lab", ROUNDS).hex()
    shop.log.info("charge of %s cents for %s signed", order["amount"], order["user"])
    if shop.leaves_early():
        return {"payment": None}
    rows = await shop.database.run(
        "INSERT INTO payments (customer, amount, token) VALUES ($1, $2, $3) RETURNING id",
        str(order["user"]),
        int(order["amount"]),
        token,
    )
    shop.volume.journal(f"{rows[0]['id']} {order['amount']} {token}")
    shop.log.info("payment %s booked", rows[0]["id"])
    return {"payment": rows[0]["id"]}
