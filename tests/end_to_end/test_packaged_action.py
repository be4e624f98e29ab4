"""An action of a package, really installed: confined, given what it declares, and no more."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.needs_sandbox
EXAMPLE = Path(__file__).parents[2] / "examples" / "actions" / "feature-flags"
Opsmith = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, built and installed by pip in a folder of its own."""
    folder = tmp_path_factory.mktemp("packages")
    source = shutil.copytree(EXAMPLE, folder / "source")
    _install(source, folder / "site")
    return folder / "site"


def _install(source: Path, site: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    own = ["--no-deps", "--no-build-isolation", "--target", str(site), str(source)]
    subprocess.run([*pip, *own], check=True)
    _let_others_read(site)


def _let_others_read(folder: Path) -> None:
    """Started by root, a package runs as nobody, who must get there."""
    for one in (*list(folder.parents)[:3], folder):
        one.chmod(0o755)


@pytest.fixture
def opsmith(packages: Path, tmp_path: Path) -> Opsmith:
    """The command with the package installed and one target that gives it a folder."""
    flags = tmp_path / "flags"
    flags.mkdir()
    _let_others_read(flags)
    flags.chmod(0o777)
    (flags / "flags.json").write_text('{"new_cart": false}')
    gives = {"flag.switch": {"places": {"flags": str(flags)}}}
    known = {"targets": [{"target": "service:cart", "actions": gives}, {"target": "service:pay"}]}
    (tmp_path / "targets.yaml").write_text(yaml.safe_dump(known))
    return commands(tmp_path, packages)


def commands(folder: Path, site: Path) -> Opsmith:
    environment = {
        **os.environ,
        "PYTHONPATH": str(site),
        "OPSMITH_DATA_DIR": str(folder / "data"),
        "OPSMITH_TARGETS_FILE": str(folder / "targets.yaml"),
    }

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "opsmith", *words]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False
        )

    return run


def test_it_is_listed_planned_run_verified_and_undone(opsmith: Opsmith, tmp_path: Path) -> None:
    flags = tmp_path / "flags" / "flags.json"
    order = ("flag.switch", "service:cart", "flag=new_cart", "on=true")

    listed = opsmith("actions")
    planned = opsmith("plan", *order, "--why", "launch", "-o", "json")
    assert "Switch a feature flag" in listed.stdout, listed.stderr
    assert planned.returncode == 0, planned.stderr
    plan = json.loads(planned.stdout)["id"]
    assert json.loads(flags.read_text()) == {"new_cart": False}
    opsmith("approve", plan)
    ran = opsmith("run", plan)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "new_cart is on; new_cart is on" in ran.stdout
    assert json.loads(flags.read_text()) == {"new_cart": True}
    assert opsmith("undo", plan).returncode == 0
    assert json.loads(flags.read_text()) == {"new_cart": False}
    runs = opsmith("audit", "list", "--kind", "sandbox")
    assert "action.flag.switch.apply" in runs.stdout


def test_without_its_folder_in_the_targets_file_it_does_nothing(opsmith: Opsmith) -> None:
    told = opsmith("plan", "flag.switch", "service:pay", "flag=new_cart", "on=true", "--why", "x")

    assert told.returncode == 2
    assert "flag.switch needs the folder flags of service:pay" in told.stderr


BAD = """
from opsmith.execute.action import *
from opsmith.nouns.entity import EntityKind
from opsmith.nouns.task import Risk

SPEC = ActionSpec(
    name="{name}", title="Bad", risk=Risk.CHANGE, targets=frozenset({{EntityKind.SERVICE}}),
    inputs={{"type": "object", "additionalProperties": False}}, rights="all", undo="none at all",
)

class Stump:
    spec = SPEC

class Action:
    spec = SPEC
    needs = Needs(holds="x", verbs=frozenset({{"service.restart"}}))

    async def dry_run(self, order, world):
        {body}
        return Preview(version="1", says="nothing", before={{}})

    async def apply(self, order, preview, world):
        return "nothing"

    async def verify(self, order, preview, world):
        return Finding(holds=True, says="nothing")

    async def undo(self, order, preview, world):
        return "nothing"
"""


def packaged(folder: Path, body: str, *, name: str = "bad.deed", thing: str = "Action") -> Opsmith:
    """The command with a package of one module, as an installer leaves it."""
    site = folder / "site"
    info = site / "bad-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bad\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[opsmith.actions]\n{name} = bad:{thing}\n")
    (site / "bad.py").write_text(BAD.format(name=name, body=body))
    _let_others_read(site)
    (folder / "targets.yaml").write_text("targets: [{target: 'service:cart'}]\n")
    return commands(folder, site)


DEEDS = {
    "a file outside": "open('{canary}', 'w').write('x')",
    "a process": "__import__('os').system('touch {canary}')",
    "its own folder": "open(__file__, 'a').write('x')",
    "the network": "__import__('socket').create_connection(('127.0.0.1', {port}))",
    "what it may not read": "open('{secret}').read()",
    "a change while it looks": (
        "await world.reach(order.target, 'service.restart')"
        ".send(order.target, 'service.restart', {{}}, deadline_s=1)"
    ),
    "a verb that it does not declare": (
        "await world.reach(order.target, 'config.set').look(order.target, 'config.set', {{}})"
    ),
    "another target": (
        "from opsmith.nouns.entity import Entity; other = Entity.service('pay');"
        " await world.reach(other, 'service.restart').look(other, 'service.restart', {{}})"
    ),
    "a place that it does not declare": "world.place('/etc')",
    "memory without end": "x = bytearray(10 ** 9)",
}


@pytest.mark.parametrize("deed", DEEDS)
def test_it_reaches_nothing_that_it_was_not_given(deed: str, tmp_path: Path) -> None:
    import socket

    canary, secret = tmp_path / "open" / "canary", tmp_path / "secret"
    canary.parent.mkdir()
    canary.parent.chmod(0o777)
    secret.write_text("s3cret")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        body = DEEDS[deed].format(canary=canary, port=port, secret=secret)
        opsmith = packaged(tmp_path, body)
        told = opsmith("plan", "bad.deed", "service:cart", "--why", "try", "-o", "json")

    if deed != "a process":  # a shell that fails is its own affair
        assert told.returncode != 0, told.stdout
    assert not canary.exists()
    assert "s3cret" not in told.stdout + told.stderr
    assert not (tmp_path / "site" / "bad.py").read_text().endswith("x")


def test_code_of_a_package_is_not_imported_by_opsmith_itself(tmp_path: Path) -> None:
    opsmith = packaged(tmp_path, "pass")
    module = tmp_path / "site" / "bad.py"
    module.write_text(f"open('/proc/self/status'); open('{tmp_path}/data/canary', 'w')")

    listed = opsmith("actions")

    assert listed.returncode == 0
    assert "The action bad.deed (bad:Action) is refused" in listed.stderr
    assert not (tmp_path / "data" / "canary").exists()


@pytest.mark.parametrize(
    ("thing", "name", "says"),
    [
        ("Stump", "bad.deed", "it does not say what it needs; it has no dry_run; it has no apply"),
        ("Nobody", "bad.deed", "it cannot be loaded"),
        ("Action", "logs.clean", "there is an action logs.clean already"),
        ("Action", "Bad Deed", "its name is not noun.verb"),
    ],
)
def test_an_incomplete_one_is_refused_with_what_it_lacks_and_the_others_work(
    thing: str, name: str, says: str, tmp_path: Path
) -> None:
    opsmith = packaged(tmp_path, "pass", name=name, thing=thing)

    listed = opsmith("actions")
    wanted = opsmith("plan", name, "service:cart", "--why", "try")

    assert says in listed.stderr
    assert "service.restart" in listed.stdout
    assert wanted.returncode == 2
    if name == "bad.deed":
        assert says in wanted.stderr
