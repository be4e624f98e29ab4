"""Files as targets: nothing leads out of a folder, nothing is half-written, nothing is lost."""

import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from opsmith.backends.reach import folders
from opsmith.backends.reach.files import HELD, FilePlace, FilesReach
from opsmith.backends.reach.setting_text import Format
from opsmith.errors import BadAnswer, BadInput, NotFound, Unreachable
from opsmith.nouns.entity import Entity

NOW = datetime(2026, 1, 10, tzinfo=UTC)
CART, PAY, NONE = (Entity.service(name) for name in ("cart", "pay", "none"))
OLD = {"older_than_s": 86_400}


def log(path: Path, *, days: float, text: str = "x" * 5000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    at = (NOW - timedelta(days=days)).timestamp()
    os.utime(path, (at, at))
    return path


@pytest.fixture
def reach(tmp_path: Path) -> FilesReach:
    (tmp_path / "cart.env").write_text("POOL=40\n")
    (tmp_path / "gitops").mkdir()
    (tmp_path / "gitops" / "pay.yaml").write_text("pool:\n  size: 40")
    log(tmp_path / "logs" / "old.log", days=9)
    log(tmp_path / "logs" / "deep" / "er.log", days=9)
    log(tmp_path / "logs" / "new.log", days=0)
    log(tmp_path / "logs" / "old.txt", days=9)
    log(tmp_path / "outside" / "precious.log", days=99)
    (tmp_path / "logs" / "way-out").symlink_to(tmp_path / "outside")
    (tmp_path / "logs" / "linked.log").symlink_to(tmp_path / "outside" / "precious.log")
    places = {
        CART: FilePlace(config=tmp_path / "cart.env", logs=tmp_path / "logs"),
        PAY: FilePlace(
            config=tmp_path / "gitops" / "pay.yaml",
            form=Format.YAML,
            owner="argocd application pay",
            repository=tmp_path / "gitops",
        ),
    }
    return FilesReach(places, clock=lambda: NOW, patches=tmp_path / "patches")


async def send(reach: FilesReach, verb: str, target: Entity = CART, **values: object) -> str:
    return (await reach.send(target, verb, values, deadline_s=20)).says  # type: ignore[arg-type]


async def test_a_clean_up_takes_old_logs_and_says_what_it_freed(
    reach: FilesReach, tmp_path: Path
) -> None:
    found = await reach.look(CART, "logs.clean", OLD)

    says = await send(reach, "logs.clean", **OLD)

    assert found.facts["files"] == 2
    assert says == f"deleted 2 files, freed {found.facts['size_bytes']} bytes"
    left = sorted(str(p.relative_to(tmp_path / "logs")) for p in (tmp_path / "logs").rglob("*"))
    assert left == ["deep", "linked.log", "new.log", "old.txt", "way-out"]
    assert (tmp_path / "outside" / "precious.log").exists()


async def test_a_file_with_another_name_frees_nothing(reach: FilesReach, tmp_path: Path) -> None:
    os.link(tmp_path / "logs" / "old.log", tmp_path / "second-name")

    await send(reach, "logs.clean", **OLD)

    assert (tmp_path / "second-name").exists()


async def test_what_was_set_aside_comes_back(reach: FilesReach, tmp_path: Path) -> None:
    await send(reach, "logs.quarantine", **OLD, batch="b1")
    aside = sorted(p.name for p in (tmp_path / "logs" / HELD / "b1").rglob("*.log"))
    again = await reach.look(CART, "logs.quarantine", OLD)

    says = await send(reach, "logs.restore", batch="b1")

    assert aside == ["er.log", "old.log"]
    assert again.facts["files"] == 0
    assert says == "moved 2 files back"
    assert (tmp_path / "logs" / "deep" / "er.log").stat().st_mtime < NOW.timestamp()
    assert await send(reach, "logs.restore", batch="b1") == "moved 0 files back"


async def test_a_log_that_came_meanwhile_is_not_overwritten(
    reach: FilesReach, tmp_path: Path
) -> None:
    await send(reach, "logs.quarantine", **OLD, batch="b1")
    log(tmp_path / "logs" / "old.log", days=0, text="new")

    with pytest.raises(BadAnswer, match="is there already"):
        await send(reach, "logs.restore", batch="b1")

    assert (tmp_path / "logs" / "old.log").read_text() == "new"


async def test_a_log_written_since_it_was_listed_is_left(tmp_path: Path) -> None:
    path = log(tmp_path / "a.log", days=9)
    (leaf,) = folders.old_files(tmp_path, pattern="*.log", before_s=NOW.timestamp())
    log(path, days=0)

    assert folders.remove(tmp_path, "a.log", written_at_s=leaf.written_at_s) == 0
    assert folders.remove(tmp_path, "gone.log", written_at_s=0) == 0
    assert path.exists()


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", "", ".."])
def test_no_path_leads_out(tmp_path: Path, path: str) -> None:
    with pytest.raises(BadInput):
        folders.remove(tmp_path, path, written_at_s=0)


def test_a_folder_that_became_a_link_is_not_entered(tmp_path: Path) -> None:
    log(tmp_path / "outside" / "a.log", days=9)
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "sub").symlink_to(tmp_path / "outside")

    with pytest.raises(BadInput, match="link"):
        folders.remove(tmp_path / "root", "sub/a.log", written_at_s=0)


async def test_a_setting_is_written_at_once_with_the_mode_kept(
    reach: FilesReach, tmp_path: Path
) -> None:
    (tmp_path / "cart.env").chmod(0o640)

    assert await send(reach, "config.set", key="POOL", value="80") == "POOL: 40 -> 80"

    assert (tmp_path / "cart.env").read_text() == "POOL=80\n"
    assert (tmp_path / "cart.env").stat().st_mode & 0o777 == 0o640
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_file()) == ["cart.env"]


async def test_a_configuration_that_is_a_link_or_no_file_is_refused(
    reach: FilesReach, tmp_path: Path
) -> None:
    (tmp_path / "cart.env").unlink()
    (tmp_path / "cart.env").symlink_to(tmp_path / "gitops" / "pay.yaml")
    with pytest.raises(BadInput, match="link"):
        await send(reach, "config.set", key="POOL", value="80")

    (tmp_path / "cart.env").unlink()
    os.mkfifo(tmp_path / "cart.env")
    with pytest.raises(BadInput, match="regular"):
        await reach.look(CART, "config.set", {"key": "POOL"})
    with pytest.raises(BadInput, match="regular"):
        folders.write_text(tmp_path / "cart.env", "")


@pytest.mark.parametrize("content", [b"\xff\xfe", b"A=1\n" * 300_000])
async def test_a_configuration_that_is_no_text_or_far_too_large_is_refused(
    reach: FilesReach, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "cart.env").write_bytes(content)

    with pytest.raises(BadInput):
        await reach.look(CART, "config.set", {"key": "A"})


async def test_a_patch_is_taken_by_git_and_leaves_the_file_alone(
    reach: FilesReach, tmp_path: Path
) -> None:
    repository = tmp_path / "gitops"
    subprocess.run(["git", "init", "-q", str(repository)], check=True)

    says = await send(reach, "config.patch", PAY, key="pool.size", value="80")

    patch = says.removeprefix("wrote ")
    assert (repository / "pay.yaml").read_text() == "pool:\n  size: 40"
    subprocess.run(["git", "-C", str(repository), "apply", patch], check=True)
    assert (repository / "pay.yaml").read_text() == "pool:\n  size: 80"


async def test_the_owner_of_a_file_is_told_where_it_would_be_changed(reach: FilesReach) -> None:
    values = {"key": "pool.size", "value": "80"}

    assert (await reach.look(PAY, "config.set", values)).owner == "argocd application pay"
    assert (await reach.look(PAY, "config.patch", values)).owner == ""


@pytest.mark.parametrize(
    ("target", "verb", "values", "error"),
    [
        (NONE, "config.set", {"key": "A"}, NotFound),
        (CART, "config.eat", {}, BadInput),
        (CART, "config.set", {}, BadInput),
        (CART, "config.set", {"key": "NOT"}, NotFound),
        (PAY, "logs.clean", OLD, NotFound),
        (CART, "logs.clean", {"older_than_s": "x"}, BadInput),
        (CART, "logs.clean", {"older_than_s": True}, BadInput),
        (CART, "logs.restore", {"batch": "../b"}, BadInput),
    ],
)
async def test_what_makes_no_sense_is_refused(
    reach: FilesReach, target: Entity, verb: str, values: dict[str, str], error: type[Exception]
) -> None:
    with pytest.raises(error):
        await reach.look(target, verb, values)


async def test_a_target_without_a_configuration_says_so(tmp_path: Path) -> None:
    reach = FilesReach({CART: FilePlace()}, clock=lambda: NOW, patches=tmp_path)

    with pytest.raises(NotFound, match="no configuration file"):
        await reach.look(CART, "config.set", {"key": "A"})


async def test_a_folder_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    place = FilePlace(config=tmp_path / "sub", logs=tmp_path / "missing")
    reach = FilesReach({CART: place}, clock=lambda: NOW, patches=tmp_path)
    (tmp_path / "sub").mkdir()

    with pytest.raises(NotFound):
        await reach.look(CART, "logs.clean", OLD)
    with pytest.raises((BadInput, Unreachable)):
        await reach.look(CART, "config.set", {"key": "A"})
