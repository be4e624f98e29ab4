"""Checks of addresses: asked by the queue or by hand, counted, and told of when they fail."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from opsmith.errors import NotFound
from opsmith.flows.outages import Teller, healths, heed
from opsmith.nouns.entity import Entity
from opsmith.nouns.health import Health
from opsmith.nouns.job import Context
from opsmith.nouns.plan import Denied, Order
from opsmith.seams.notify import Notify
from opsmith.settings import Settings
from opsmith.wiring import targets
from opsmith.wiring.act import Desk, now
from opsmith.wiring.check_shapes import HttpCheckShape
from opsmith.wiring.notices import places
from opsmith.wiring.task_bodies import CheckBody


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """The checks of a targets file, made over an open house.

    shapes: by target, then by name. places: who is told.
    """

    house: Desk
    shapes: Mapping[Entity, Mapping[str, HttpCheckShape]]
    places: Mapping[str, Notify]

    async def act(self, body: str, context: Context) -> dict[str, object]:
        """One check, as a task of the kind `http.check`."""
        wanted = CheckBody.model_validate_json(body)
        target = Entity.parse(wanted.target[0])
        check, shape = self._named(target, wanted.check)
        order = Order(action="http.check", target=target, values={"check": check})
        found = await self.house.control.read(order, by=context.by)
        name = f"{target} {check}"
        if isinstance(found, Denied):
            return {"check": name, "state": "refused", "says": found.reason}
        teller = Teller(
            ledger=self.house.ledger,
            places=self.places,
            clock=now,
            fresh_name=lambda: secrets.token_hex(8),
        )
        health = await heed(name, found, failures=shape.failures, teller=teller)
        return {"check": name, "state": health.state, "says": found.says, **_counted(health)}

    def _named(self, target: Entity, check: str) -> tuple[str, HttpCheckShape]:
        known = self.shapes.get(target, {})
        name = check or (next(iter(known)) if len(known) == 1 else "")
        if name not in known:
            raise NotFound(
                f"The targets file has no check {name[:60]!r} of {target}.",
                hint=f"It has {', '.join(sorted(known)) or 'none'}.",
            )
        return name, known[name]


def checks_of(settings: Settings, house: Desk) -> Checks:
    """The checks of the settings. Raises `BadInput` for a wrong targets or notify file."""
    told = targets.read(settings.targets_file)
    return Checks(
        house=house,
        shapes={entity: one.http for entity, one in told.targets.items()},
        places=places(settings.notify_file),
    )


async def checks_list(settings: Settings) -> tuple[tuple[Health, str], ...]:
    """How each check of the targets file stands, with its address.

    Raises `BadInput` for a wrong targets file.
    """
    from opsmith.wiring.ledger import opened

    told = targets.read(settings.targets_file)
    async with opened(settings) as ledger:
        known = {one.name: one for one in await healths(ledger)}
    return tuple(
        (known.get(name, Health(name=name)), shape.check().says)
        for entity, one in told.targets.items()
        for check, shape in one.http.items()
        for name in [f"{entity} {check}"]
    )


def _counted(health: Health) -> dict[str, object]:
    return {"failures": health.failures, "outage": health.outage if health.down else ""}
