"""Log files are followed through all that happens to them."""

import gzip
import os
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from opsmith.backends.logs import files
from opsmith.backends.logs.files import FileLogs
from opsmith.errors import BadInput
from opsmith.ingest.log_lines import records
from opsmith.nouns.log_line import LogLine, LogQuery

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Followed:
    """One pattern followed; `new` gives the texts since the last time."""

    def __init__(self, *patterns: object) -> None:
        self._logs = FileLogs([str(one) for one in patterns], read=read, clock=lambda: NOW)
        self.cursor = ""

    async def new(self) -> list[str]:
        lines, self.cursor = await self._logs.new(self.cursor)
        return [line.text for line in lines]

    async def search(self, **more: object) -> list[str]:
        start, end = datetime(2025, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
        found = await self._logs.search(LogQuery(start=start, end=end, **more))  # type: ignore[arg-type]
        return [line.text for line in found]


def read(lines: Iterable[str], path: str, now: datetime) -> Iterator[LogLine]:
    return records(lines, service="cart", source=path, now=now)


def add(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "a.log"
    path.write_text("old\n")
    return path


async def test_a_half_written_line_is_given_when_it_is_whole(log: Path) -> None:
    followed = Followed(log)
    add(log, "ha")
    assert await followed.new() == []

    add(log, "lf\nnext")
    assert await followed.new() == ["half"]
    add(log, "\n")
    assert await followed.new() == ["next"]


async def test_a_renamed_file_is_read_to_its_end_and_the_new_one_from_its_start(log: Path) -> None:
    followed = Followed(log)
    await followed.new()
    add(log, "before\n")
    log.rename(log.with_name("a.log.1"))
    log.write_text("after\n")

    assert await followed.new() == ["before", "after"]


async def test_what_is_written_to_a_renamed_file_later_is_not_lost(log: Path) -> None:
    followed = Followed(log)
    await followed.new()
    old = log.with_name("a.log.1")
    log.rename(old)
    log.write_text("after\n")
    assert await followed.new() == ["after"]

    add(old, "late\n")
    assert await followed.new() == ["late"]
    assert await followed.new() == []


async def test_a_truncated_file_is_read_from_its_start(log: Path) -> None:
    followed = Followed(log)
    await followed.new()
    add(log, "copied away\n")
    await followed.new()
    log.write_text("new\n")

    assert await followed.new() == ["new"]


async def test_a_truncated_file_that_grew_beyond_its_place_is_told_by_its_head(log: Path) -> None:
    followed = Followed(log)
    await followed.new()
    with log.open("r+") as file:
        file.truncate()
        file.write("entirely new and longer\n")

    assert await followed.new() == ["entirely new and longer"]


async def test_another_file_with_the_same_inode_is_read_from_its_start(log: Path) -> None:
    followed = Followed(log)
    await followed.new()
    inode = log.stat().st_ino
    log.unlink()
    log.write_text("another\nfile\n")
    # The cursor as if the new file had got the inode of the old one.
    followed.cursor = followed.cursor.replace(f",{inode},", f",{log.stat().st_ino},")

    assert await followed.new() == ["another", "file"]


async def test_a_file_that_is_not_there_yet_is_read_when_it_comes(tmp_path: Path) -> None:
    followed = Followed(tmp_path / "later.log")
    assert await followed.new() == []

    (tmp_path / "later.log").write_text("here\n")
    assert await followed.new() == ["here"]
    (tmp_path / "later.log").unlink()
    assert await followed.new() == []
    (tmp_path / "later.log").write_text("back again\n")
    assert await followed.new() == ["back again"]


async def test_a_backlog_is_read_in_blocks_and_none_is_lost(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MOST_BYTES_AT_ONCE", 64)
    followed = Followed(log)
    await followed.new()
    add(log, "".join(f"line {n}\n" for n in range(100)))
    log.rename(log.with_name("a.log-20260101"))
    log.write_text("after\n")

    found: list[str] = []
    for _ in range(30):
        found.extend(await followed.new())

    assert sorted(found) == sorted(["after", *(f"line {n}" for n in range(100))])


async def test_a_line_without_an_end_is_cut(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LONGEST_LINE", 10)
    followed = Followed(log)
    await followed.new()
    add(log, "x" * 25)

    assert await followed.new() == ["x" * 10]
    add(log, "y\n")
    assert await followed.new() == ["y"]


async def test_a_rotated_file_is_not_followed_under_its_own_name(log: Path) -> None:
    followed = Followed(log.parent / "a.log*")
    log.with_name("a.log.1").write_text("older\n")
    await followed.new()
    add(log, "one\n")

    assert await followed.new() == ["one"]


async def test_a_search_reads_what_was_rotated_and_packed(log: Path) -> None:
    with gzip.open(log.with_name("a.log.2.gz"), "wt") as file:
        file.write("2026-01-01T00:00:00Z oldest\n")
    log.with_name("a.log.1").write_text("2026-01-02T00:00:00Z older\n")
    log.write_text("2026-01-03T00:00:00Z new\n")

    found = await Followed(log).search()

    assert [text.split()[-1] for text in found] == ["oldest", "older", "new"]
    assert len(await Followed(log).search(limit=1)) == 1


async def test_a_search_in_a_damaged_file_says_which(log: Path) -> None:
    log.with_name("a.log.1.gz").write_bytes(b"no gzip")

    with pytest.raises(BadInput, match=r"a\.log\.1\.gz"):
        await Followed(log).search()


async def test_a_damaged_cursor_begins_anew(log: Path) -> None:
    followed = Followed(log)
    followed.cursor = "{"

    assert await followed.new() == ["old"]


async def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_FILES", 2)
    for number in range(3):
        (tmp_path / f"{number}.log").touch()

    with pytest.raises(BadInput, match="More than 2 files"):
        await Followed(tmp_path / "*.log").new()


async def test_folders_and_pipes_are_no_logs(tmp_path: Path) -> None:
    (tmp_path / "a.log").mkdir()
    os.mkfifo(tmp_path / "b.log")

    assert await Followed(tmp_path / "*.log").new() == []


@pytest.mark.parametrize("hour", [0, 1, 57, 99])
async def test_a_search_reads_only_about_the_time_asked_for(
    log: Path, monkeypatch: pytest.MonkeyPatch, hour: int
) -> None:
    monkeypatch.setattr(files, "MARGIN_BYTES", 4_096)
    begin, read_lines = datetime(2025, 6, 1, tzinfo=UTC), []
    lines = [
        f"{(begin + timedelta(minutes=n)).isoformat()} INFO line {n}\n    goes on\n"
        for n in range(6_000)
    ]
    log.write_text("".join(lines))

    def counting(told: Iterable[str], path: str, now: datetime) -> Iterator[LogLine]:
        for line in read(told, path, now):
            read_lines.append(line)
            yield line

    logs = FileLogs([str(log)], read=counting, clock=lambda: NOW)
    start = begin + timedelta(hours=hour)
    found = await logs.search(LogQuery(start=start, end=start + timedelta(hours=1), limit=100))

    assert len(found) == 60
    assert f"line {60 * hour}\n" in found[0].text
    assert len(read_lines) < 1_200
