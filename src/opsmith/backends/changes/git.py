"""Changes from a folder that is a Git repository: its tags, and the commits of a branch.

Source: git-for-each-ref(1) and git-log(1), field names.
"""

from __future__ import annotations

import asyncio
import fnmatch
import re
import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from opsmith.errors import BadInput, Unreachable
from opsmith.nouns.entity import Entity
from opsmith.nouns.redaction import redact
from opsmith.nouns.signals import Change, ChangeKind

TIMEOUT_S = 30.0
MOST_CHANGES = 1_000
_LONGEST_SUMMARY = 400
# Nothing of the repository's own configuration may run a program, nothing asks or locks.
_QUIET = ("-c", "core.fsmonitor=false", "-c", "log.showSignature=false", "--no-optional-locks")
_ENVIRON = {"LC_ALL": "C.UTF-8", "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1"}
_BRANCH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]{0,199}")


class GitChanges:
    """The changes seam over one repository folder, read by `git`; nothing is fetched.

    tags: a pattern such as `v*`, empty for no tags. branch: whose commits count, empty for
    none; paths: only commits that touch these. Each is a change of `entity`, of kind `change`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        entity: Entity,
        change: ChangeKind,
        tags: str = "",
        branch: str = "",
        paths: Sequence[str] = (),
    ) -> None:
        if branch and not _BRANCH.fullmatch(branch):
            raise BadInput(f"{branch[:80]!r} cannot name a branch.")
        self._folder = folder
        self._entity = entity
        self._change = change
        self._tags = tags
        self._branch = branch
        self._paths = tuple(paths)

    async def since(self, start: datetime) -> tuple[Change, ...]:
        """Tags made and commits committed since, by their own dates."""
        found = [*await self._of_tags(), *await self._of_commits(start)]
        fresh = [change for change in found if change.at >= start]
        return tuple(sorted(fresh, key=lambda change: change.at)[-MOST_CHANGES:])

    async def _of_tags(self) -> list[Change]:
        if not self._tags:
            return []
        form = "%(creatordate:unix)%00%(refname:strip=2)%00%(contents:subject)"
        words = ("for-each-ref", f"--format={form}", "--sort=-creatordate", "refs/tags")
        return [
            self._made(at, f"tag {name}: {subject}", version=name)
            for at, name, subject in _rows(await self._git(*words, f"--count={MOST_CHANGES}"))
            if fnmatch.fnmatchcase(name, self._tags)
        ]

    async def _of_commits(self, start: datetime) -> list[Change]:
        if not self._branch:
            return []
        words = (
            "log",
            "--format=%ct%x00%h%x00%s",
            f"--since=@{int(start.timestamp())}",
            f"--max-count={MOST_CHANGES}",
            self._branch,
            "--",
            *self._paths,
        )
        return [
            self._made(at, f"commit {name}: {subject}", version=name)
            for at, name, subject in _rows(await self._git(*words))
        ]

    def _made(self, at: datetime, summary: str, *, version: str) -> Change:
        return Change(
            at=at,
            entity=self._entity,
            kind=self._change,
            summary=redact(summary[:_LONGEST_SUMMARY]),
            version=version[:200],
        )

    async def _git(self, *words: str) -> str:
        program = shutil.which("git")
        if program is None:
            raise BadInput("`git` is not installed, so no repository can be read.")
        # The operator named the folder; whose it is does not matter for reading.
        trusted = ("-c", f"safe.directory={self._folder}")
        running = await asyncio.create_subprocess_exec(
            program,
            "-C",
            str(self._folder),
            *_QUIET,
            *trusted,
            *words,
            env=_ENVIRON,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            told, wrong = await asyncio.wait_for(running.communicate(), TIMEOUT_S)
        except TimeoutError as error:
            running.kill()
            await running.wait()
            raise Unreachable(f"git did not read {self._folder} in {TIMEOUT_S:g} s.") from error
        if running.returncode:
            reason = wrong.decode("utf-8", "replace").strip()[:300]
            raise BadInput(f"{self._folder}: git says: {reason}.")
        return told.decode("utf-8", "replace")


def _rows(told: str) -> Iterator[tuple[datetime, str, str]]:
    """Time, name and subject of each line; one of another form is passed over."""
    for line in told.splitlines():
        fields = line.split("\0")
        if len(fields) == 3 and fields[0].isdecimal():  # noqa: PLR2004 - the three asked for
            yield datetime.fromtimestamp(int(fields[0]), tz=UTC), fields[1], fields[2]
