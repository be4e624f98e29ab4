"""Changes from a real Git repository."""

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from opsmith.backends.changes import git
from opsmith.backends.changes.git import GitChanges
from opsmith.errors import BadInput, Unreachable
from opsmith.nouns.entity import Entity
from opsmith.nouns.signals import ChangeKind

START = datetime(2026, 1, 1, tzinfo=UTC)
CART = Entity.service("cart")


class Repository:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.run("init", "--quiet", "--initial-branch=main")

    def run(self, *words: str, at: str = "2026-01-01T10:00:00Z") -> None:
        who = {
            f"GIT_{role}_{part}": "t@example.org"
            for role in ("AUTHOR", "COMMITTER")
            for part in ("NAME", "EMAIL")
        }
        when = {"GIT_AUTHOR_DATE": at, "GIT_COMMITTER_DATE": at}
        known = {**os.environ, **who, **when, "GIT_CONFIG_GLOBAL": "/dev/null"}
        subprocess.run(["git", "-C", str(self.folder), *words], check=True, env=known)

    def commit(self, path: str, subject: str, *, at: str) -> None:
        (self.folder / path).write_text(subject)
        self.run("add", path)
        self.run("commit", "--quiet", "-m", subject, at=at)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "shop")
    made.commit("a", "long ago", at="2025-01-01T00:00:00Z")
    made.commit("a", "raise the pool; password=hunter2", at="2026-01-01T10:00:00Z")
    made.commit("b", "two\n\nwith a body", at="2026-01-01T11:00:00Z")
    made.run("tag", "-a", "v1.4.2", "-m", "release", at="2026-01-01T12:00:00Z")
    made.run("tag", "other")
    return made


def changes(repository: Repository, **more: object) -> GitChanges:
    kind = ChangeKind.CONFIG
    return GitChanges(repository.folder, entity=CART, change=kind, **more)  # type: ignore[arg-type]


async def test_a_tag_is_a_change_when_it_was_made(repository: Repository) -> None:
    (tag,) = await changes(repository, tags="v*").since(START)

    assert (tag.at.hour, tag.version, tag.summary) == (12, "v1.4.2", "tag v1.4.2: release")
    assert (tag.entity, tag.kind) == (CART, ChangeKind.CONFIG)


async def test_commits_of_a_branch_are_changes_without_secrets(repository: Repository) -> None:
    first, second = await changes(repository, branch="main").since(START)

    assert first.summary.endswith("raise the pool; password=[redacted]")
    assert second.summary.endswith(": two")


async def test_only_commits_that_touch_a_path_count(repository: Repository) -> None:
    (one,) = await changes(repository, branch="main", paths=["b"]).since(START)

    assert one.summary.endswith(": two")


async def test_nothing_of_the_repository_is_run(repository: Repository, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    for name in ("core.fsmonitor", "core.pager", "gpg.program", "core.sshCommand"):
        repository.run("config", name, str(trap))
    repository.run("config", "log.showSignature", "true")

    assert len(await changes(repository, branch="main", tags="*").since(START)) == 4
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("branch", ["--output=/tmp/x", "a b", "", "-n1"])
def test_a_branch_is_never_an_option(repository: Repository, branch: str) -> None:
    if branch:
        with pytest.raises(BadInput, match="cannot name a branch"):
            changes(repository, branch=branch)


async def test_what_git_refuses_is_told(repository: Repository, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="git says"):
        await changes(repository, branch="none").since(START)
    other = GitChanges(tmp_path / "none", entity=CART, change=ChangeKind.DEPLOY, tags="*")
    with pytest.raises(BadInput, match="git says"):
        await other.since(START)


async def test_a_missing_git_and_an_endless_one_are_told(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(git, "TIMEOUT_S", 0.1)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadInput, match="not installed"):
        await changes(repository, tags="*").since(START)
    slow = tmp_path / "git"
    slow.write_text("#!/bin/sh\nexec /bin/sleep 30\n")
    slow.chmod(0o755)
    with pytest.raises(Unreachable, match="did not read"):
        await changes(repository, tags="*").since(START)
