"""A Git repository on this machine, read by the `git` program; nothing in it is run or written."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path

from opsmith.errors import BadInput, Unreachable

TIMEOUT_S = 30.0
MOST_FILES = 5_000
LARGEST_BYTES = 64 * 2**20
# Git's own rule for names is wider; nothing that could be read as an option or a range is taken.
_REVISION = re.compile(r"(?!.*(?:\.\.|@\{))[A-Za-z0-9_][A-Za-z0-9_./+-]{0,199}")
_TEXTS = (".yaml", ".yml", ".json")
_ID = re.compile(r"[0-9a-f]{40,64}")


class GitRepository:
    """Keeps the promises of `seams.repository.Repository` over the repository in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def resolve(self, revision: str) -> str | None:
        """The full id of a revision, None when there is none."""
        if not _REVISION.fullmatch(revision):
            return None
        code, out = await self._git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
        found = out.decode("ascii", "replace").strip()
        return found if code == 0 and _ID.fullmatch(found) else None

    async def folders(self, revision: str) -> tuple[str, ...]:
        """The paths of all folders."""
        out = await self._told("ls-tree", "-r", "-d", "-z", "--name-only", revision)
        return tuple(name for name in out.decode("utf-8", "replace").split("\0") if name)

    async def texts(self, revision: str, under: str) -> Mapping[str, str]:
        """Path to text of the YAML and JSON files under a folder."""
        where = ("--", under) if under else ()
        out = await self._told("ls-tree", "-r", "-z", "--name-only", revision, *where)
        names = [n for n in out.decode("utf-8", "replace").split("\0") if n.endswith(_TEXTS)]
        if len(names) > MOST_FILES:
            raise BadInput(f"{revision} has more than {MOST_FILES} files there; name a folder.")
        return await self._contents(revision, [n for n in names if "\n" not in n])

    async def _contents(self, revision: str, names: list[str]) -> dict[str, str]:
        asked = "".join(f"{revision}:{name}\n" for name in names).encode()
        out = await self._told("cat-file", "--batch", sent=asked)
        if len(out) > LARGEST_BYTES:
            raise BadInput(f"The files hold more than {LARGEST_BYTES} bytes; name a folder.")
        found: dict[str, str] = {}
        at = 0
        for name in names:
            head, _, rest = out[at : at + 400].partition(b"\n")
            del rest
            size = int(head.rsplit(b" ", 1)[-1])
            at += len(head) + 1
            found[name] = out[at : at + size].decode("utf-8", "replace")
            at += size + 1
        return found

    async def _told(self, *words: str, sent: bytes = b"") -> bytes:
        code, out = await self._git(*words, sent=sent)
        if code != 0:
            raise Unreachable(f"git {words[0]} failed in {self._folder.name}.")
        return out

    async def _git(self, *words: str, sent: bytes = b"") -> tuple[int, bytes]:
        """Run one reading command; no hook, pager or configured helper takes part."""
        try:
            process = await asyncio.create_subprocess_exec(
                "git",
                "--no-optional-locks",
                "-C",
                str(self._folder),
                *words,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
        except OSError as error:
            raise Unreachable(
                "The program `git` cannot be started.", hint="Install git."
            ) from error
        try:
            out, _ = await asyncio.wait_for(process.communicate(sent), TIMEOUT_S)
        except TimeoutError as error:
            process.kill()
            await process.wait()
            raise Unreachable(f"git did not answer within {TIMEOUT_S:.0f} s.") from error
        return process.returncode or 0, out
