"""http.check against real HTTP servers: what is well, what is not, and what is never asked."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from builders.certs import Authority
from builders.http import serving

from opsmith.backends.reach.http_checks import HttpChecksReach
from opsmith.errors import BadAnswer, BadInput, NotFound, Unreachable
from opsmith.execute.actions import BUILT_IN
from opsmith.execute.registry import Registry
from opsmith.nouns.entity import Entity
from opsmith.nouns.plan import Order, Value
from opsmith.testing.acting import OneWay
from opsmith.wiring.check_shapes import HttpCheckShape

CART = Entity.service("cart")
ACTIONS = Registry(BUILT_IN)


@asynccontextmanager
async def world(url: str, **fields: object) -> AsyncIterator[OneWay]:
    shape = HttpCheckShape.model_validate({"url": url, **fields})
    reach = HttpChecksReach({CART: {"health": shape.check()}}, clock=lambda: datetime.now(UTC))
    yield OneWay(way=reach)
    await reach.aclose()


def order(**values: Value) -> Order:
    return Order(action="http.check", target=CART, values=values)


async def checked(url: str, **fields: object) -> str:
    """What the action says, from its rehearsal to its end."""
    async with world(url, **fields) as way:
        action = ACTIONS.checked(order())
        preview = await action.dry_run(order(), way)
        says = await action.apply(order(), preview, way)
        assert (await action.verify(order(), preview, way)).holds
    return says


def well(path: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
    del headers
    return (200, b"status: ready\n") if path.startswith("/healthz") else (404, b"")


async def test_an_address_that_is_well_says_so() -> None:
    with serving(well) as url:
        assert f"GET {url}/healthz answers 200 in" in await checked(f"{url}/healthz")
        assert "HEAD" in await checked(f"{url}/healthz", method="HEAD")
        assert "answers 404" in await checked(f"{url}/none", status=[404, 410])


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"status": [204]}, "answers 200, not 204"),
        ({"text": "status: live"}, "without 'status: live'"),
        ({"pattern": "^status: (live|idle)$"}, "without a line like"),
    ],
)
async def test_what_is_not_as_it_must_be_is_told(fields: dict[str, object], says: str) -> None:
    with serving(well) as url:
        with pytest.raises(BadAnswer, match=says.replace("(", r"\(")):
            await checked(f"{url}/healthz", **fields)
        assert await checked(f"{url}/healthz", text="ready", pattern="^status: [a-z]+$")


async def test_text_behind_the_beginning_of_a_long_answer_is_not_read() -> None:
    long = (200, b"x" * 5_000_000 + b"ready")
    with serving(lambda *_: long) as url, pytest.raises(BadAnswer, match="first 64 KiB"):
        await checked(url, text="ready")


async def test_a_redirect_is_not_followed() -> None:
    asked: list[str] = []

    def elsewhere(path: str, _: Mapping[str, str]) -> tuple[int, bytes]:
        asked.append(path)
        return 200, b""

    with (
        serving(elsewhere) as target,
        serving(lambda *_: (302, b""), location=target) as url,
        pytest.raises(BadAnswer, match="answers 302"),
    ):
        await checked(url)
    assert asked == []


async def test_a_server_that_is_slow_or_gone_is_not_well() -> None:
    import time

    def slow(*_: object) -> tuple[int, bytes]:
        time.sleep(0.4)
        return 200, b""

    with serving(slow) as url, pytest.raises(Unreachable, match=r"(longer than|did not answer)"):
        await checked(url, timeout_s=0.1)
    with serving(well) as url:
        pass
    with pytest.raises(Unreachable, match="did not answer"):
        await checked(url)


async def test_a_certificate_is_verified_and_its_end_is_seen(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    tls = {"ca_file": authority.ca}
    with serving(well, tls=authority.issue("server")) as url:
        assert "certificate is good for 0 days" in await checked(f"{url}/healthz", tls=tls)
        with pytest.raises(BadAnswer, match=r"0\.0 days left on its certificate, not 14"):
            await checked(f"{url}/healthz", tls=tls, certificate_days=14)
        with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
            await checked(f"{url}/healthz")
        assert await checked(f"{url}/healthz", tls={"verify": False})


async def test_an_expired_certificate_is_a_failure(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    issued = authority.issue("server", ends=datetime.now(UTC) - timedelta(minutes=1))
    with serving(well, tls=issued) as url, pytest.raises(Unreachable, match="expired"):
        await checked(f"{url}/healthz", tls={"ca_file": authority.ca})


async def test_secrets_are_sent_and_never_shown(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("s3cret\n")

    def guarded(_: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
        return (200, b"") if headers.get("Authorization") == "Bearer s3cret" else (401, b"")

    with serving(guarded) as url:
        says = await checked(f"{url}/x?key=hidden", token_file=token)
        assert "hidden" not in says
        with pytest.raises(BadAnswer, match="answers 401"):
            await checked(f"{url}/x")
        token.unlink()
        with pytest.raises(Unreachable, match="cannot be asked"):
            await checked(url, token_file=token)


async def test_only_addresses_of_the_targets_file_are_asked() -> None:
    async with world("http://127.0.0.1:1/") as way:
        action = ACTIONS.get("http.check")
        with pytest.raises(NotFound, match="It has health"):
            await action.dry_run(order(check="other"), way)
    for wrong in ("http://evil", "../x", "-rf", "a b", "health\n"):
        with pytest.raises(BadInput, match="does not match"):
            ACTIONS.checked(order(check=wrong))


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "file:///etc/passwd"},
        {"url": "http://a", "method": "POST"},
        {"url": "http://a", "method": "HEAD", "text": "x"},
        {"url": "http://a", "certificate_days": 3},
        {"url": "https://a", "certificate_days": 3, "tls": {"verify": False}},
        {"url": "http://a", "pattern": "(a+)+"},
        {"url": "http://a", "status": []},
        {"url": "http://a", "timeout_s": 61},
    ],
)
def test_a_check_that_makes_no_sense_is_refused_at_the_door(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        HttpCheckShape.model_validate(wrong)
