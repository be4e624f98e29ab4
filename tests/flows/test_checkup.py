import asyncio
import importlib.metadata
import sys
from pathlib import Path

import pytest

from opsmith.errors import Unreachable
from opsmith.flows import checkup
from opsmith.flows.checkup import check_up
from opsmith.nouns.checkup import Checkup, Finding, State


async def look(
    tmp_path: Path, *, probes: dict[str, checkup.Probe] | None = None, data: Path | None = None
) -> Checkup:
    return await check_up(
        settings={"prometheus_url": "http://a:hunter2@b", "api_key": "x"},
        data_dir=data or tmp_path / "new" / "opsmith",
        probes=probes or {},
        root=tmp_path,
    )


def by_name(found: Checkup, area: str) -> dict[str, Finding]:
    return {one.name: one for one in found.findings if one.area == area}


async def test_settings_are_told_without_their_secrets(tmp_path: Path) -> None:
    told = by_name(await look(tmp_path), "setting")

    assert "hunter2" not in told["prometheus_url"].detail
    assert told["api_key"].detail == "[redacted]"


async def test_a_folder_that_can_be_made_is_fine_and_is_not_made(tmp_path: Path) -> None:
    found = by_name(await look(tmp_path), "data")["data_dir"]

    assert found.state is State.OK
    assert not (tmp_path / "new").exists()


async def test_a_data_folder_that_is_a_file_is_missing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    found = await look(tmp_path, data=tmp_path / "file" / "opsmith")

    assert by_name(found, "data")["data_dir"].state is State.MISSING
    assert found.state is State.MISSING


async def test_servers_are_asked_side_by_side_and_not_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkup, "PATIENCE_S", 0.01)

    async def up() -> None:
        return None

    async def down() -> None:
        raise Unreachable("no http://a:hunter2@b")

    async def slow() -> None:
        await asyncio.Event().wait()

    found = by_name(await look(tmp_path, probes={"a": up, "b": down, "c": slow}), "server")

    assert [found[name].state for name in "abc"] == [
        State.OK,
        State.UNREACHABLE,
        State.UNREACHABLE,
    ]
    assert "hunter2" not in found["b"].detail
    assert "0.01 s" in found["c"].detail


async def test_a_package_that_is_not_installed_is_missing_and_an_extra_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ["no-such-package>=1", "no-such-either; extra == 'magic'", "click; extra == 'easy'"]
    monkeypatch.setattr(checkup, "requires", lambda _: lines)

    found = await look(tmp_path)

    assert by_name(found, "package")["no-such-package"].state is State.MISSING
    assert by_name(found, "extra")["magic"].hint == "pip install 'opsmith[magic]'"
    assert by_name(found, "extra")["easy"].state is State.OK


async def test_every_dependency_is_looked_at(tmp_path: Path) -> None:
    told = by_name(await look(tmp_path), "package")

    needed = [one for one in importlib.metadata.requires("opsmith") or () if "extra" not in one]
    assert len(told) == len(needed)


async def test_an_old_python_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup, "OLDEST_PYTHON", (sys.version_info[0] + 1, 0))

    assert (await look(tmp_path)).findings[0].state is State.MISSING


async def test_the_kernel_is_read_from_its_own_files(tmp_path: Path) -> None:
    files = {
        "sys/fs/cgroup/cgroup.controllers": "cpu memory pids\n",
        "proc/sys/user/max_user_namespaces": "1000\n",
        "proc/self/status": "Name:\tx\nSeccomp:\t0\n",
        "proc/self/ns/pid": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")

    told = by_name(await look(tmp_path), "kernel")

    assert told["cgroup v2"].detail == "cpu, memory, pids"
    assert told["cgroup v1"].state is State.ABSENT
    assert told["namespaces"].detail == "pid"
    assert told["user namespaces"].detail == "up to 1000"
    assert told["seccomp"].state is State.OK
