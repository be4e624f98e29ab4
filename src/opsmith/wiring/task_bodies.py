"""What each kind of task is given: checked at the door, split into shards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from opsmith.errors import BadInput
from opsmith.execute.actions.logs import OLDEST_S
from opsmith.nouns.entity import Entity
from opsmith.nouns.job import Shard
from opsmith.nouns.session import LONGEST_COMMAND

# A task over more than that is a campaign, and wants several tasks.
MOST_SHARDS = 1000


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


Names = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=1000)]],
    BeforeValidator(_listed),
    Field(min_length=1, max_length=MOST_SHARDS),
]


class Body(BaseModel):
    """What a task is given; what nobody knows is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def parts(self) -> Mapping[str, Body]:
        """The body of each shard, by its name; one shard unless said otherwise."""
        return {"all": self}


class PingBody(Body):
    """ping: answers, after `wait_s` seconds if any; shows that a worker is there."""

    wait_s: float = Field(default=0.0, ge=0, le=600)


class AskBody(Body):
    """ask: a sentence as `opsmith ask` takes it; session to go on with, empty for a new one."""

    question: str = Field(min_length=1, max_length=LONGEST_COMMAND)
    session: str = Field(default="", max_length=64)


class InvestigateBody(Body):
    """investigate: folders of recorded incidents, each looked into for itself."""

    bundle: Names

    def parts(self) -> Mapping[str, Body]:
        """One a folder."""
        return {one: InvestigateBody(bundle=[one]) for one in self.bundle}


class PlanBody(Body):
    """plan.run: carry an approved plan out."""

    plan: str = Field(min_length=1, max_length=80)


class CleanBody(Body):
    """logs.clean: old logs of targets, deleted or (aside) quarantined, as far as policy lets."""

    target: Names
    older_than_s: float = Field(ge=60, le=OLDEST_S)
    aside: bool = False

    def parts(self) -> Mapping[str, Body]:
        """One a target."""
        for one in self.target:
            Entity.parse(one)
        return {
            one: CleanBody(target=[one], older_than_s=self.older_than_s, aside=self.aside)
            for one in self.target
        }


class CheckBody(Body):
    """http.check: ask what the targets file names of each target; tell of an outage, once."""

    target: Names
    check: str = Field(default="", pattern=r"^([a-z0-9][a-z0-9-]{0,60})?$")

    def parts(self) -> Mapping[str, Body]:
        """One a target."""
        for one in self.target:
            Entity.parse(one)
        return {one: CheckBody(target=[one], check=self.check) for one in self.target}


class ForecastBody(Body):
    """forecast: series of the metrics server by PromQL, `horizon_s` ahead."""

    query: Names
    horizon_s: float = Field(default=3600.0, gt=0, le=90 * 86_400)
    threshold: float | None = None

    def parts(self) -> Mapping[str, Body]:
        """One a query."""
        return {
            one: ForecastBody(query=[one], horizon_s=self.horizon_s, threshold=self.threshold)
            for one in self.query
        }


BODIES: Mapping[str, type[Body]] = {
    "ping": PingBody,
    "ask": AskBody,
    "investigate": InvestigateBody,
    "plan.run": PlanBody,
    "logs.clean": CleanBody,
    "http.check": CheckBody,
    "forecast": ForecastBody,
}


def split(kind: str, body: str) -> tuple[Shard, ...]:
    """The shards of a task. Raises `BadInput` that names the first thing that is wrong."""
    shape = BODIES.get(kind)
    if shape is None:
        raise BadInput(
            f"There are no tasks of the kind {kind[:64]!r}.",
            hint=f"There are {', '.join(BODIES)}.",
        )
    try:
        read = shape.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the body"
        raise BadInput(
            f"A task of the kind {kind} does not take this: {where}: {first['msg']}.",
            hint=f"It takes {', '.join(shape.model_fields)}.",
        ) from error
    parts = read.parts()
    return tuple(Shard(name=name, body=one.model_dump_json()) for name, one in parts.items())


def body_of(assignments: Sequence[str]) -> str:
    """`NAME=VALUE` words as a JSON object; a name that comes again makes a list."""
    import orjson

    values: dict[str, str | list[str]] = {}
    for word in assignments:
        name, equals, text = word.partition("=")
        if not equals or not name:
            raise BadInput(f"{word[:60]!r} is not NAME=VALUE.")
        before = values.get(name)
        if before is None:
            values[name] = text
        else:
            values[name] = [*([before] if isinstance(before, str) else before), text]
    return orjson.dumps(values).decode()
