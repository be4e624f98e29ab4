"""Every ledger keeps every promise."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from opsmith.backends.ledger.postgres import PostgresLedger
from opsmith.backends.ledger.sqlite import SqliteLedger
from opsmith.seams.ledger import Ledger
from opsmith.testing import ledger as promises
from promises.real_postgres import Server, postgres

CHECKS: list[Callable[[Ledger], Awaitable[None]]] = [
    promises.check_records_are_chained_in_the_order_given,
    promises.check_reading_takes_only_what_is_wanted,
    promises.check_the_latest_state_of_a_subject_outlives_retention,
    promises.check_a_shortened_ledger_still_verifies_and_grows,
    promises.check_forgetting_everything_keeps_the_count,
    promises.check_any_text_is_kept_as_it_is,
    promises.check_of_two_writers_that_saw_the_same_one_goes_on,
    promises.check_a_subject_can_be_claimed_while_it_has_no_state,
    promises.check_who_stops_waiting_stops_nobody_else,
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with postgres(tmp_path_factory.mktemp("postgres") / "data") as running:
        yield running


@pytest.fixture(
    params=[
        "memory",
        "sqlite",
        pytest.param("postgres", marks=pytest.mark.needs_postgres),
    ]
)
async def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ledger]:
    if request.param == "memory":
        yield promises.MemoryLedger()
        return
    if request.param == "sqlite":
        opened: SqliteLedger | PostgresLedger = SqliteLedger(tmp_path / "ledger.db")
    else:
        running: Server = request.getfixturevalue("server")
        opened = PostgresLedger(running.fresh(f"l{secrets.token_hex(6)}"))
    yield opened
    opened.close()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_a_ledger_keeps_its_promise(
    check: Callable[[Ledger], Awaitable[None]], ledger: Ledger
) -> None:
    await check(ledger)


async def test_a_ledger_can_be_copied_and_measured(ledger: Ledger, tmp_path: Path) -> None:
    await promises.check_a_backup_appears_and_the_size_is_told(ledger, tmp_path)
