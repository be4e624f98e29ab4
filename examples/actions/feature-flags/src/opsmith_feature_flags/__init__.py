"""flag.switch: turns a feature flag on or off; the flags are a JSON file in a folder."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from opsmith.errors import BadInput
from opsmith.execute.action import (
    Access,
    ActionSpec,
    ConfinedWorld,
    Finding,
    Needs,
    Preview,
)
from opsmith.nouns.entity import EntityKind
from opsmith.nouns.plan import Order
from opsmith.nouns.task import Risk

FLAGS = "flags"


class SwitchFlag:
    """Switches one flag that is there already, and knows what it was."""

    spec = ActionSpec(
        name="flag.switch",
        title="Switch a feature flag",
        risk=Risk.CHANGE,
        targets=frozenset({EntityKind.SERVICE}),
        inputs={
            "type": "object",
            "additionalProperties": False,
            "required": ["flag", "on"],
            "properties": {
                "flag": {"type": "string", "pattern": "^[a-z][a-z0-9_-]{0,60}$"},
                "on": {"type": "boolean"},
            },
        },
        rights="to write flags.json in the folder of the service's flags",
        undo="puts back what the flag was",
    )
    needs = Needs(holds="flags {target}", places={FLAGS: Access.WRITE})

    async def dry_run(self, order: Order, world: ConfinedWorld) -> Preview:
        """What the flag is, and what it would be."""
        flag, on = str(order.values["flag"]), bool(order.values["on"])
        flags = _read(world)
        if flag not in flags:
            raise BadInput(f"There is no flag {flag!r}; there are {', '.join(sorted(flags))}.")
        was = flags[flag]
        return Preview(
            version=hashlib.sha256(json.dumps(flags, sort_keys=True).encode()).hexdigest(),
            says=f"{flag} of {order.target}: {_word(was)} -> {_word(on)}",
            before={"was": was},
        )

    async def apply(self, order: Order, preview: Preview, world: ConfinedWorld) -> str:
        """Write it."""
        return _write(world, str(order.values["flag"]), on=bool(order.values["on"]))

    async def verify(self, order: Order, preview: Preview, world: ConfinedWorld) -> Finding:
        """Read it again."""
        flag = str(order.values["flag"])
        now = _read(world).get(flag)
        return Finding(holds=now == order.values["on"], says=f"{flag} is {_word(bool(now))}")

    async def undo(self, order: Order, preview: Preview, world: ConfinedWorld) -> str:
        """Write what it was."""
        return _write(world, str(order.values["flag"]), on=bool(preview.before["was"]))


def _read(world: ConfinedWorld) -> dict[str, bool]:
    found = json.loads(_file(world).read_text(encoding="utf-8"))
    return {str(name): bool(value) for name, value in found.items()}


def _write(world: ConfinedWorld, flag: str, *, on: bool) -> str:
    """The whole file at once: a reader sees the old one or the new one."""
    file = _file(world)
    new = file.with_suffix(".new")
    new.write_text(json.dumps({**_read(world), flag: on}, indent=2) + "\n", encoding="utf-8")
    new.chmod(0o644)
    os.replace(new, file)
    return f"{flag} is {_word(on)}"


def _file(world: ConfinedWorld) -> Path:
    return world.place(FLAGS) / "flags.json"


def _word(on: bool) -> str:  # noqa: FBT001 - a word for a value
    return "on" if on else "off"
