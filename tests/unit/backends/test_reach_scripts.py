"""Registered scripts: what was registered runs, with the parameters that it takes, or nothing."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from opsmith.backends.reach.scripts import RUN, UNDO, VERIFY, Pinned, Registered, ScriptsReach
from opsmith.backends.sandbox.archive import LogArchive
from opsmith.errors import BadAnswer, BadInput, NotFound, Unreachable
from opsmith.nouns.entity import Entity
from opsmith.nouns.plan import Values
from opsmith.seams.sandbox import Ending, Mount, Program, Ran

CART = Entity.service("cart")
PARAMETERS = {
    "type": "object",
    "additionalProperties": False,
    "required": ["age", "name"],
    "properties": {"age": {"type": "integer"}, "name": {"type": "string"}},
}
GIVEN: Values = {"script": "warm", "parameters": '{"age": -3, "name": "a b;$(x)"}'}


class Rehearsal:
    """Notes what it was asked to run."""

    def __init__(self) -> None:
        self.asked: list[Program] = []
        self.answer = Ran(ending=Ending.EXITED, code=0, output="state password=hunter2")

    async def run(self, program: Program) -> Ran:
        self.asked.append(program)
        return self.answer


@pytest.fixture
def sandbox() -> Rehearsal:
    return Rehearsal()


def pinned(folder: Path, name: str) -> Pinned:
    file = folder / name
    file.write_text(f"#!/bin/sh\necho {name}\n")
    return Pinned(file=file, sha256=hashlib.sha256(file.read_bytes()).hexdigest())


@pytest.fixture
def reach(tmp_path: Path, sandbox: Rehearsal) -> ScriptsReach:
    script = Registered(
        run=pinned(tmp_path, "run"),
        look=pinned(tmp_path, "look"),
        undo=pinned(tmp_path, "undo"),
        parameters=PARAMETERS,
        arguments=("age", "name"),
        mounts=(Mount(path=tmp_path, writable=True),),
    )
    return ScriptsReach({CART: {"warm": script}}, sandbox=sandbox)


async def test_parameters_arrive_as_words_and_as_json(
    reach: ScriptsReach, sandbox: Rehearsal
) -> None:
    reply = await reach.send(CART, RUN, GIVEN, deadline_s=5)

    program = sandbox.asked[0]
    assert program.argv == ("/script/run", "-3", "a b;$(x)")
    assert json.loads(program.stdin) == {
        "target": "service:cart",
        "parameters": {"age": -3, "name": "a b;$(x)"},
    }
    assert program.files == {"run": b"#!/bin/sh\necho run\n"}
    assert reply.facts["output"] == "state password=[redacted]"


async def test_looking_may_write_nothing(reach: ScriptsReach, sandbox: Rehearsal) -> None:
    found = await reach.look(CART, RUN, GIVEN)

    assert [mount.writable for mount in sandbox.asked[0].mounts] == [False]
    assert found.facts["state"] == "state password=[redacted]"


async def test_the_version_changes_with_the_state_that_the_look_tells(
    reach: ScriptsReach, sandbox: Rehearsal
) -> None:
    before = await reach.look(CART, RUN, GIVEN)
    sandbox.answer = Ran(ending=Ending.EXITED, code=0, output="another")
    after = await reach.look(CART, RUN, GIVEN)

    assert before.version != after.version


@pytest.mark.parametrize("part", ["run", "look", "undo"])
async def test_a_file_that_was_changed_does_not_run(
    part: str, reach: ScriptsReach, sandbox: Rehearsal, tmp_path: Path
) -> None:
    (tmp_path / part).write_text("#!/bin/sh\nrm -rf /\n")

    with pytest.raises(BadInput, match="not what was registered"):
        await reach.look(CART, RUN, GIVEN)
    assert [one for one in sandbox.asked if one.files["run"].endswith(b"rm -rf /\n")] == []


@pytest.mark.parametrize(
    "parameters",
    [
        "no json",
        "[]",
        '{"age": 1}',
        '{"age": "1", "name": "x"}',
        '{"age": NaN, "name": "x"}',
        '{"age": 1, "name": "x", "more": 1}',
        '{"age": 1, "name": "--force"}',
        '{"age": 1, "name": "-rf"}',
        '{"age": 1, "name": "a\\u0000b"}',
        "[" * 100_000,
    ],
    ids=lambda text: text[:30],
)
async def test_bad_parameters_run_nothing(
    parameters: str, reach: ScriptsReach, sandbox: Rehearsal
) -> None:
    with pytest.raises(BadInput):
        await reach.send(CART, RUN, {"script": "warm", "parameters": parameters}, deadline_s=5)

    assert sandbox.asked == []


async def test_a_script_that_nobody_registered_is_said(reach: ScriptsReach) -> None:
    with pytest.raises(NotFound, match="It has warm"):
        await reach.look(CART, RUN, {"script": "../run"})


async def test_a_part_that_it_does_not_have_is_said(reach: ScriptsReach) -> None:
    assert reach.carries(CART, VERIFY)
    assert not reach.carries(Entity.service("none"), RUN)
    with pytest.raises(BadInput, match="has no verify"):
        await reach.send(CART, VERIFY, GIVEN, deadline_s=5)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Ran(ending=Ending.EXITED, code=3, output="no"), BadAnswer),
        (Ran(ending=Ending.TIMED_OUT, code=9), BadAnswer),
        (Ran(ending=Ending.REFUSED, code=0, output="too many"), Unreachable),
    ],
    ids=lambda value: getattr(value, "ending", None),
)
async def test_a_run_that_did_not_end_well_is_an_error(
    answer: Ran, error: type[Exception], reach: ScriptsReach, sandbox: Rehearsal
) -> None:
    sandbox.answer = answer

    with pytest.raises(error):
        await reach.send(CART, UNDO, GIVEN, deadline_s=5)


async def test_logs_are_kept_redacted_and_the_oldest_go(tmp_path: Path) -> None:
    archive = LogArchive(tmp_path / "runs", most=2)
    keep: Callable[[str, Ran], object] = archive.keep
    ran = Ran(ending=Ending.EXITED, code=0, output="token=abc done")

    names = [await keep(f"../one/{number}", ran) for number in range(3)]  # type: ignore[misc]

    kept = sorted((tmp_path / "runs").iterdir())
    assert [str(one) for one in kept] == names[1:]
    assert kept[0].read_text() == "token=[redacted] done"
    assert kept[0].stat().st_mode & 0o077 == 0
