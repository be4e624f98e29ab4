"""A Git repository read by revision; names that could be options or ranges are no revisions."""

import subprocess
from pathlib import Path

import pytest

from opsmith.backends.repository.git import GitRepository


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    def git(*words: str) -> None:
        who = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True)

    git("init", "-q")
    (tmp_path / "prod").mkdir()
    (tmp_path / "prod" / "a.yaml").write_text("k: 一\n", "utf-8")
    (tmp_path / "notes.txt").write_text("no")
    git("add", ".")
    git("commit", "-qm", "one")
    git("tag", "v1")
    (tmp_path / "prod" / "a.yaml").write_text("k: 2\n")
    git("commit", "-qam", "two")
    git("tag", "v2")
    return GitRepository(tmp_path)


async def test_texts_of_a_tag_are_those_of_then(repository: GitRepository) -> None:
    one, two = await repository.resolve("v1"), await repository.resolve("v2")

    assert one
    assert two
    assert await repository.texts(one, "") == {"prod/a.yaml": "k: 一\n"}
    assert await repository.texts(two, "prod") == {"prod/a.yaml": "k: 2\n"}
    assert await repository.folders(one) == ("prod",)


@pytest.mark.parametrize("name", ["--all", "v1..v2", "v3", "@{-1}", "", "v1;ls", "a b"])
async def test_what_is_no_revision_is_none(repository: GitRepository, name: str) -> None:
    assert await repository.resolve(name) is None
