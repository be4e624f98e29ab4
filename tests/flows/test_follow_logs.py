"""follow_logs and search_logs over scripted sources."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from opsmith.backends.state.files import FileStates
from opsmith.errors import Unreachable
from opsmith.flows.follow_logs import Follower
from opsmith.flows.search_logs import search
from opsmith.nouns.log_line import Level, LogLine, LogQuery

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class ListedLogs:
    """The logs seam over a list; a cursor is how much of it was read."""

    def __init__(self, *texts: str, gone: bool = False) -> None:
        self.texts = list(texts)
        self.gone = gone

    async def search(self, query: LogQuery) -> tuple[LogLine, ...]:
        return tuple(filter(query.fits, await self._lines(0)))

    async def new(self, cursor: str) -> tuple[tuple[LogLine, ...], str]:
        start = int(cursor) if cursor else len(self.texts)
        return await self._lines(start), str(len(self.texts))

    async def aclose(self) -> None:
        """Nothing is held."""

    async def _lines(self, start: int) -> tuple[LogLine, ...]:
        if self.gone:
            raise Unreachable("gone")
        return tuple(
            LogLine(at=NOW + timedelta(seconds=n), level=Level.INFO, service="a", text=text)
            for n, text in enumerate(self.texts[start:], start)
        )


async def test_a_follower_goes_on_after_a_restart_and_loses_nothing(tmp_path: Path) -> None:
    logs, store, taken = ListedLogs("old"), FileStates(tmp_path), list[Mapping[str, object]]()
    await Follower("a", logs, store=store, take=taken.append).step()
    logs.texts.append("while it was down")
    logs.gone = True
    with pytest.raises(Unreachable):
        await Follower("a", logs, store=store, take=taken.append).step()
    logs.gone = False

    follower = Follower("a", logs, store=store, take=taken.append)
    await follower.step()
    await follower.step()

    assert len(taken) == 1
    assert "while it was down" in str(taken)


async def test_what_could_not_be_taken_comes_again(tmp_path: Path) -> None:
    logs, store = ListedLogs(), FileStates(tmp_path)
    taken = list[Mapping[str, object]]()
    await Follower("a", logs, store=store, take=taken.append).step()
    logs.texts.append("one")

    def failing(_: Mapping[str, object]) -> None:
        raise Unreachable("full")

    with pytest.raises(Unreachable):
        await Follower("a", logs, store=store, take=failing).step()
    await Follower("a", logs, store=store, take=taken.append).step()

    assert len(taken) == 1


async def test_the_newest_of_all_sources_are_found_and_a_failure_told() -> None:
    query = LogQuery(start=NOW, end=NOW + timedelta(hours=1), limit=3)
    sources = {"a": ListedLogs("1", "2"), "b": ListedLogs("3", "4"), "c": ListedLogs(gone=True)}

    found = await search(sources, query)

    assert [line.text for line in found.lines] == ["3", "2", "4"]
    assert found.missing == ("c: gone",)
    with pytest.raises(Unreachable, match="No source of logs"):
        await search({"c": sources["c"]}, query)
