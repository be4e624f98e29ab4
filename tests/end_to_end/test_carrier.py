"""What acts on files acts in a process that can change one folder and nothing else."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from opsmith.backends.reach.carried import CarriedFiles
from opsmith.backends.reach.files import FilePlace
from opsmith.errors import NotFound, Unreachable
from opsmith.nouns.entity import Entity
from opsmith.wiring.carrier import COMMAND

pytestmark = pytest.mark.needs_sandbox

CART = Entity.service("cart")
NOW = datetime(2026, 1, 10, tzinfo=UTC)

# What a carrier with a bug might do, each told with what came of it.
BUG = """
import json, os, socket, sys
from opsmith.backends.sandbox.enclose import enclose
folder, outside = sys.argv[1:]
held = enclose(seen=["/usr", "/lib", sys.prefix, sys.base_prefix, folder], changed=[folder])

def tried(what):
    try:
        return f"did: {what()!r}"
    except (OSError, ValueError) as error:
        return f"failed: {error.__class__.__name__}"

print(json.dumps({
    "own": tried(lambda: open(f"{folder}/new", "w").write("fine")),
    "outside": tried(lambda: open(outside, "w").write("owned")),
    "made": tried(lambda: os.mkdir(outside + ".d")),
    "mode": tried(lambda: os.chmod(outside, 0o777)),
    "owner": tried(lambda: os.chown(outside, 1, 1)),
    "link": tried(lambda: open(f"{folder}/link", "w").write("owned")),
    "removed": tried(lambda: os.unlink(outside)),
    "read": tried(lambda: open("/etc/shadow").read()),
    "socket": tried(lambda: socket.socket()),
    "a new file": tried(lambda: open("/etc/opsmith.new", "w")),
    "held": held,
}))
"""


def reach(folder: Path, place: FilePlace) -> CarriedFiles:
    return CarriedFiles(
        {CART: place}, clock=lambda: NOW, patches=folder / "patches", command=COMMAND
    )


def test_a_bug_in_an_action_changes_nothing_elsewhere(tmp_path: Path) -> None:
    folder, outside = tmp_path / "own", tmp_path / "outside"
    folder.mkdir()
    outside.write_text("untouched")
    outside.chmod(0o600)
    (folder / "link").symlink_to(outside)

    done = subprocess.run(
        [sys.executable, "-c", BUG, str(folder), str(outside)],
        capture_output=True,
        text=True,
        check=True,
    )

    told = json.loads(done.stdout)
    assert told.pop("own").startswith("did")
    assert any("Landlock" in one or "namespaces" in one for one in told.pop("held"))
    assert {name: said for name, said in told.items() if not said.startswith("failed")} == {}
    assert outside.read_text() == "untouched"
    assert outside.stat().st_mode & 0o777 == 0o600


async def test_a_setting_is_changed_with_owner_and_mode_kept(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    file = tmp_path / "etc" / "cart.env"
    file.write_text("POOL=40\n")
    file.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(file, 1, 2)
    before = file.stat()
    way = reach(tmp_path, FilePlace(config=file))
    values = {"key": "POOL", "value": "80"}

    found = await way.look(CART, "config.set", values)
    reply = await way.send(CART, "config.set", values, deadline_s=10)

    after = file.stat()
    assert (found.facts["value"], reply.facts["value"]) == ("40", "80")
    assert file.read_text() == "POOL=80\n"
    assert (after.st_uid, after.st_gid, after.st_mode) == (
        before.st_uid,
        before.st_gid,
        before.st_mode,
    )


async def test_logs_go_aside_back_and_away(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "a.log").write_text("x")
    old = (NOW - timedelta(days=9)).timestamp()
    os.utime(logs / "a.log", (old, old))
    way = reach(tmp_path, FilePlace(logs=logs))
    values = {"older_than_s": 3600, "batch": "b1"}

    found = await way.look(CART, "logs.quarantine", values)
    await way.send(CART, "logs.quarantine", values, deadline_s=10)
    assert not (logs / "a.log").exists()
    await way.send(CART, "logs.restore", {"batch": "b1"}, deadline_s=10)
    assert (logs / "a.log").exists()
    await way.send(CART, "logs.clean", {"older_than_s": 3600}, deadline_s=10)

    assert found.facts["first"] == ("a.log",)
    assert not (logs / "a.log").exists()


async def test_a_patch_is_written_to_its_own_folder(tmp_path: Path) -> None:
    (tmp_path / "repo" / "cart").mkdir(parents=True)
    file = tmp_path / "repo" / "cart" / "cart.env"
    file.write_text("POOL=40\n")
    way = reach(tmp_path, FilePlace(config=file, repository=tmp_path / "repo"))

    reply = await way.send(CART, "config.patch", {"key": "POOL", "value": "80"}, deadline_s=10)

    assert "a/cart/cart.env" in Path(str(reply.facts["file"])).read_text()
    assert file.read_text() == "POOL=40\n"


async def test_what_goes_wrong_in_the_carrier_is_told_as_it_is(tmp_path: Path) -> None:
    way = reach(tmp_path, FilePlace(config=tmp_path / "absent.env"))
    broken = CarriedFiles(
        {}, clock=lambda: NOW, patches=tmp_path / "patches", command=("/bin/false",)
    )

    with pytest.raises(NotFound):
        await way.look(CART, "config.set", {"key": "A", "value": "1"})
    with pytest.raises(Unreachable, match="did not answer"):
        await broken.look(CART, "config.set", {"key": "A", "value": "1"})
