"""Every parameter of every registered action, given what an attacker would give it.

Nothing is executed, opened or addressed by it: it is refused with a sentence, or carried to the
way of the target as the same value, pure data.
"""

import contextlib
import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import pytest
from builders.cluster import EmulatedCluster, served
from builders.clusters_reached import reach as cluster_reach

from opsmith.backends.reach.files import FilePlace, FilesReach
from opsmith.backends.reach.scripts import Pinned, Registered, ScriptsReach
from opsmith.backends.reach.setting_text import Format
from opsmith.errors import BadInput, OpsmithError
from opsmith.execute.action import Action
from opsmith.execute.actions import BUILT_IN
from opsmith.execute.registry import LONGEST_VALUE, Registry
from opsmith.nouns.entity import Entity, EntityKind
from opsmith.nouns.plan import Order, Value, Values
from opsmith.seams.reach import Found, Reach, Reply
from opsmith.seams.sandbox import Ending, Program, Ran

ACTIONS = Registry(BUILT_IN)
CANARY = "opsmith-canary"
TEXTS = [
    # a shell
    f"; touch {CANARY}", f"$(touch {CANARY})", f"`touch {CANARY}`", f"| touch {CANARY}",
    f"&& touch {CANARY} &&", f"'; touch {CANARY} #", f'"; touch {CANARY} "', f"> {CANARY}",
    f"${{IFS}}touch${{IFS}}{CANARY}", f"a\ntouch {CANARY}", f"a\r\ntouch {CANARY}\n",
    # a flag
    "-rf", "--", "-rf /", "--help", f"--output={CANARY}", "-oProxyCommand=touch", "-1",
    # a path
    "../../../../etc/passwd", "/etc/passwd", "..", ".", "/", "~root", "file:///etc/passwd",
    "..%2f..%2fetc", "\\\\host\\share", "a/../../b",
    # a language in between
    "' OR 1=1 --", "{{7*7}}", "${jndi:ldap://x}", "%s%n", "!!python/object/apply:os.system [id]",
    "a: b\nEVIL: 1", "a\nEVIL=1", '", "EVIL": "1', "<script>", "*", "[", "\\",
    # what is not seen, or looks like something else
    "a\0b", "\0", "\ud800", "cart\u200b", "\u202etxt.exe", "\u0441art", "a\u2028EVIL=1", "\x1b[2J",
    "\uff1b touch", "\ufeffcart", "", " ", "\n", "cart\n", "cart ", "x" * 5_000,
    "x" * (LONGEST_VALUE + 1),
]  # fmt: skip
OTHERS: list[object] = [
    None, True, -1, 0, 2**70, -(2**70), math.nan, math.inf, -math.inf, 1e308, 0.5, ("a",), (),
    tuple("a" * 100), ({"a": 1},), {"$ne": ""}, [f"; touch {CANARY}"], b"bytes", 1j, "1", "true",
]  # fmt: skip
GOOD: Mapping[str, Value] = {
    "for_s": 600, "key": "POOL", "value": "80", "older_than_s": 3600, "script": "fill",
    "command": "level", "weight": 5, "replicas": 2, "change": "kubernetes.scale", "min": 1,
    "cores": 0.5,
}  # fmt: skip
HEARD = frozenset(
    {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "open", "exec",
     "os.remove", "os.rename", "os.mkdir", "os.symlink", "os.link", "shutil.rmtree", "import",
     "socket.connect", "socket.getaddrinfo"}
)  # fmt: skip


@dataclass
class Ear:
    """Hears what the interpreter is asked to execute, open or connect to while it listens."""

    word: str = ""
    heard: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, event: str, given: tuple[object, ...]) -> None:
        if not self.word or event not in HEARD or (event == "exec" and self.word in {".", "["}):
            return
        if event in {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn"} or (
            event != "exec" and self.word in str(given[:2])
        ):
            self.heard.append((event, repr(given)[:200]))

    @contextlib.contextmanager
    def listening(self, word: str) -> Iterator[None]:
        # Short words are in every path; what is executed is heard in any case.
        self.word = word if len(word) > 4 else "\0 nothing has this in its name"
        try:
            yield
        finally:
            self.word = ""


EAR = Ear()
sys.addaudithook(EAR)


class Anything(dict[str, Value]):
    """Facts of whatever name."""

    def __missing__(self, name: str) -> Value:
        return "change"


@dataclass
class Recorder:
    """Carries every verb nowhere, and remembers with which values."""

    seen: list[Values] = field(default_factory=list)

    def carries(self, target: Entity, verb: str) -> bool:
        del target, verb
        return True

    async def look(self, target: Entity, verb: str, values: Values) -> Found:
        del target, verb
        self.seen.append(values)
        return Found(version="1", facts=Anything())

    async def send(self, target: Entity, verb: str, values: Values, *, deadline_s: float) -> Reply:
        del target, verb, deadline_s
        self.seen.append(values)
        return Reply(says="done", facts=Anything())

    async def aclose(self) -> None:
        pass


@dataclass
class NoSandbox:
    """Runs nothing, and remembers what it was to run."""

    asked: list[Program] = field(default_factory=list)

    async def run(self, program: Program) -> Ran:
        self.asked.append(program)
        return Ran(ending=Ending.EXITED, code=0, output="well")


@dataclass
class Ways:
    """The real ways of this test where one carries a verb, else a recorder."""

    real: list[Reach]
    recorder: Recorder = field(default_factory=Recorder)

    def reach(self, target: Entity, verb: str) -> Reach:
        return next((one for one in self.real if one.carries(target, verb)), self.recorder)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where all of this happens, with something beside it that nobody may touch."""
    work = tmp_path / "work"
    for name in ("work", "work/logs", "outside"):
        (tmp_path / name).mkdir()
    (tmp_path / "outside" / "old.log").write_text("kept")
    (work / "fill").write_text("#!/bin/sh\n")
    monkeypatch.chdir(work)
    return work


@pytest.fixture
def sandbox() -> NoSandbox:
    return NoSandbox()


@pytest.fixture
def ways(folder: Path, sandbox: NoSandbox) -> Iterator[Ways]:
    (folder / "app.env").write_text("POOL=40\n")
    digest = "4d0a8b3b6d9b7ff9a2a0ae4a5d2c4aa4"  # of nothing: what is pinned does not run
    script = Registered(
        run=Pinned(file=folder / "fill", sha256=digest.ljust(64, "0")),
        parameters={"type": "object"},
        arguments=("size",),
    )
    scripts = {"fill": script}
    targets = [Entity(kind=kind, name="cart") for kind in EntityKind if kind != "edge"]
    cluster = EmulatedCluster()
    with served(cluster, folder) as kubeconfig:
        yield Ways(
            real=[
                FilesReach(
                    {one: _place(folder) for one in targets},
                    clock=_now,
                    patches=folder / "patches",
                ),
                ScriptsReach({one: dict(scripts) for one in targets}, sandbox=sandbox),
                cluster_reach(kubeconfig, folder),
            ]
        )


def _place(folder: Path) -> FilePlace:
    return FilePlace(config=folder / "app.env", form=Format("env"), logs=folder / "logs")


def _now() -> datetime:
    return datetime.now(UTC)


def properties(action: Action) -> Mapping[str, Mapping[str, object]]:
    found = action.spec.inputs.get("properties", {})
    assert isinstance(found, dict)
    return found


def orders(action: Action) -> Iterator[tuple[str, object, Order]]:
    """(the parameter, what it is given, the order), for every parameter and payload."""
    target = Entity(kind=min(action.spec.targets), name="cart")
    known = properties(action)
    required = action.spec.inputs.get("required") or []
    fine = {
        name: GOOD[name] for name in known if name in GOOD and name in [*required, "min", "cores"]
    }
    for name, shape in known.items():
        payloads: list[object] = [*TEXTS, *OTHERS]
        if shape.get("type") == "array":
            payloads += [(text,) for text in TEXTS] + [(f"a={text}",) for text in TEXTS]
        for payload in payloads:
            values: dict[str, object] = {**fine, name: payload}
            yield name, payload, Order(action=action.spec.name, target=target, values=values)  # type: ignore[arg-type]


T = TypeVar("T")


def refusal(check: Callable[[T], object], given: T) -> str:
    """Why it is refused, empty when it is not."""
    try:
        check(given)
    except BadInput as error:
        return told(error)
    return ""


def told(error: OpsmithError) -> str:
    """A sentence that a terminal may show."""
    words = str(error)
    assert words
    assert len(words) < 1_000
    assert words.isprintable(), words
    return words


async def carried(action: Action, order: Order, ways: Ways) -> None:
    """All of an action, whatever comes of it."""
    # What a recorder tells means nothing to some actions; the real ways raise our own errors.
    with contextlib.suppress(OpsmithError, KeyError, TypeError, ValueError, IndexError):
        preview = replace(await action.dry_run(order, ways), plan="plan-1")
        for step in (action.apply, action.verify):
            with contextlib.suppress(OpsmithError, KeyError, TypeError, ValueError, IndexError):
                await step(order, preview, ways)
        seen = list(ways.recorder.seen)  # an undo sends what was before, not what was asked
        await action.undo(order, preview, ways)
        ways.recorder.seen = seen


@pytest.mark.parametrize("action", list(ACTIONS), ids=lambda one: one.spec.name)
async def test_what_an_attacker_gives_is_refused_or_is_data(
    action: Action, ways: Ways, sandbox: NoSandbox, folder: Path
) -> None:
    for name, payload, order in orders(action):
        if refusal(ACTIONS.checked, order):
            continue
        with EAR.listening(str(payload)):
            await carried(action, order, ways)
        assert EAR.heard == [], (name, payload)
        assert all(one.get(name, payload) == payload for one in ways.recorder.seen)
        assert not list(folder.parent.rglob(f"*{CANARY}*")), (name, payload)
        ways.recorder.seen.clear()

    assert {one.argv[0] for one in sandbox.asked} <= {"/script/run"}
    assert (folder.parent / "outside" / "old.log").read_text() == "kept"
    lines = (folder / "app.env").read_text().splitlines()
    assert all(line.startswith("POOL=") or line.partition("=")[0] in TEXTS for line in lines)
    assert not any(line.startswith("EVIL") for line in lines)


@pytest.mark.parametrize("action", list(ACTIONS), ids=lambda one: one.spec.name)
def test_a_target_is_a_name_and_one_that_is_not_known_leads_nowhere(action: Action) -> None:
    for text in TEXTS:
        for words in (text, f"{min(action.spec.targets)}:{text}"):
            if refusal(Entity.parse, words):
                continue
            target = Entity.parse(words)
            assert target.name == words.partition(":")[2]
            assert not any(way.carries(target, action.spec.name) for way in _known_ways())


def _known_ways() -> list[Reach]:
    return [FilesReach({}, clock=_now, patches=Path("/nonexistent"))]


async def test_parameters_of_a_script_become_words_and_no_more(
    tmp_path: Path, sandbox: NoSandbox
) -> None:
    import hashlib

    (tmp_path / "run").write_text("#!/bin/sh\n")
    digest = hashlib.sha256(b"#!/bin/sh\n").hexdigest()
    script = Registered(
        run=Pinned(file=tmp_path / "run", sha256=digest),
        parameters={"type": "object", "properties": {"size": {}}, "additionalProperties": False},
        arguments=("size",),
        irreversible="for good",
    )
    cart = Entity.service("cart")
    reach = ScriptsReach({cart: {"fill": script}}, sandbox=sandbox)
    for text in TEXTS:
        values = {"script": "fill", "parameters": json.dumps({"size": text})}
        sandbox.asked.clear()
        with contextlib.suppress(BadInput):
            await reach.send(cart, "script.run", values, deadline_s=5)
        for program in sandbox.asked:
            assert program.argv == ("/script/run", text)
            assert program.environment == {}


def test_what_is_executed_or_opened_is_heard(tmp_path: Path) -> None:
    with EAR.listening(CANARY):
        os.system("true")  # noqa: S605 - what must be heard
        (tmp_path / CANARY).touch()

    assert [event for event, _ in EAR.heard] == ["os.system", "open"]
    EAR.heard.clear()
