"""Shares of traffic: weights of an Istio VirtualService, a Gateway HTTPRoute or an Argo Rollout.

Every route that leads to the named destination and to another gets the same share; the rest keep
their proportions, and each route adds up to 100.
Sources: Istio, VirtualService `http[].route[].weight`; Gateway API, `backendRefs[].weight` (shares
of their sum); Argo Rollouts, `canary.steps[].setWeight` and `status.canary.weights`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass

from opsmith.backends.reach.kubernetes_api import (
    ClusterApi,
    Kind,
    Told,
    count_of,
    fields_of,
    items,
    text_of,
)
from opsmith.backends.reach.kubernetes_objects import ROLLOUT, WORKLOADS
from opsmith.backends.reach.kubernetes_workloads import Change, name_of
from opsmith.errors import BadInput, Conflict, NotFound
from opsmith.nouns.plan import Values

SHIFT = "traffic.shift"
VIRTUAL_SERVICE = "virtualservice"
HTTP_ROUTE = "httproute"
ROUTES: Mapping[str, Kind] = {
    VIRTUAL_SERVICE: Kind(
        group="networking.istio.io",
        version="v1beta1",  # served by every release since 1.5; v1 only since 1.22
        plural="virtualservices",
        name="VirtualService",
    ),
    HTTP_ROUTE: Kind(
        group="gateway.networking.k8s.io", version="v1", plural="httproutes", name="HTTPRoute"
    ),
    ROLLOUT: WORKLOADS[ROLLOUT],
}
WHOLE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What shares out the traffic of a service. word: virtualservice, httproute or rollout."""

    word: str
    told: Told

    @property
    def kind(self) -> Kind:
        """Its kind as the API names it."""
        return ROUTES[self.word]

    def __str__(self) -> str:
        place = text_of(fields_of(self.told, "metadata").get("namespace"))
        return f"{self.word}/{name_of(self.told)} in {place}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Route:
    """One route that shares traffic out. path: of the list of its destinations in the object."""

    path: str
    name: str
    shares: Sequence[Told]

    @property
    def names(self) -> list[str]:
        """Its destinations: a subset or host of Istio, a backend of the Gateway API."""
        return [_destination(one) for one in self.shares]

    @property
    def weights(self) -> list[int]:
        """What each destination has; Istio's default is 0 beside others, the Gateway's 1."""
        return [
            count_of(one.get("weight"), 0 if "destination" in one else 1) for one in self.shares
        ]


async def traffic_of(
    api: ClusterApi, namespace: str, name: str, *, via: str = ""
) -> Traffic | None:
    """What shares out the traffic of a service of this name; a Rollout before what it steers.

    Raises `BadInput` when two do and none steers the other.
    """
    if via not in ("", *ROUTES):
        raise BadInput(f"{via[:40]!r} shares out no traffic; there are {', '.join(ROUTES)}.")
    found = []
    for word in (via,) if via else (ROLLOUT, VIRTUAL_SERVICE, HTTP_ROUTE):
        try:
            told = await api.get(ROUTES[word], namespace, name)
        except NotFound:
            continue
        if word != ROLLOUT or fields_of(told, "spec", "strategy", "canary"):
            found.append(Traffic(word=word, told=told))
    if len(found) > 1 and found[0].word == ROLLOUT and _steers(found[0].told):
        return found[0]
    if len(found) > 1:
        there = " and ".join(map(str, found))
        raise BadInput(f"Both {there} share its traffic out; say which by `via`.")
    return found[0] if found else None


def shift(traffic: Traffic, values: Values) -> Change:
    """The named destination takes `weight` of 100. Raises `BadInput` for what cannot be."""
    weight = count_of(values.get("weight"), -1)
    if not 0 <= weight <= WHOLE:
        raise BadInput("weight is a whole number from 0 to 100.")
    if traffic.word == ROLLOUT:
        return _canary(traffic, weight, _later_steps(traffic))
    to = text_of(values.get("to"))
    routes = [
        one
        for one in _routes(traffic)
        if to in one.names and values.get("route") in (None, one.name)
    ]
    if not to or not routes:
        there = sorted({name for one in _routes(traffic) for name in one.names})
        raise BadInput(f"`to` names a destination of {traffic}; there are {', '.join(there)}.")
    wanted = [(one, _shared(one, to, weight)) for one in routes]
    return _weighted(traffic, wanted)


def shift_back(traffic: Traffic, values: Values) -> Change:
    """The weights that were. Raises `Conflict` when somebody has changed them since."""
    if traffic.word == ROLLOUT:
        now, was = _canary_weight(traffic), count_of(values.get("was"))
        if now not in (was, values.get("weight")):
            raise Conflict(f"Somebody has set the canary of {traffic} to {now} since.")
        return _canary(traffic, was, _later_steps(traffic))
    before, after = _weights_told(values, "was"), _weights_told(values, "now")
    routes = {one.path: one for one in _routes(traffic)}
    wanted = []
    for path, weights in before.items():
        route = routes.get(path)
        if route is None or route.weights not in (weights, after.get(path)):
            raise Conflict(f"Somebody has changed the weights of {traffic} since; they stay so.")
        wanted.append((route, weights))
    return _weighted(traffic, wanted)


def check(traffic: Traffic, values: Values) -> tuple[bool, str]:
    """Whether the weights are as ordered."""
    if traffic.word == ROLLOUT:
        now = _canary_weight(traffic)
        return now == values.get("weight"), f"the canary of {traffic} has {now} of {WHOLE}"
    after = _weights_told(values, "now")
    routes = {one.path: one for one in _routes(traffic)}
    holds = all(
        path in routes and routes[path].weights == weights for path, weights in after.items()
    )
    told = "; ".join(_told(one, one.weights) for path, one in routes.items() if path in after)
    return holds, f"{traffic}: {told}"


def _weighted(traffic: Traffic, wanted: Sequence[tuple[_Route, list[int]]]) -> Change:
    """New weights of some routes, each patched alone."""
    ops: list[Mapping[str, object]] = []
    made = deepcopy(dict(traffic.told))
    told = []
    for route, weights in wanted:
        fresh = [
            {**one, "weight": weight} for one, weight in zip(route.shares, weights, strict=True)
        ]
        ops.append({"op": "replace", "path": route.path, "value": fresh})
        _put(made, route.path, fresh)
        where = f"route {route.name}: " if route.name else ""
        told.append(f"{where}{_told(route, route.weights)} -> {_told(route, weights)}")
    return Change(
        on=traffic.told,
        kind=traffic.kind,
        ops=ops,
        wanted=made,
        says=f"{traffic}: {'; '.join(told)}",
        before={
            "was": tuple(_pair(one.path, one.weights) for one, _ in wanted),
            "now": tuple(_pair(one.path, weights) for one, weights in wanted),
        },
        already=all(one.weights == weights for one, weights in wanted),
    )


def _shared(route: _Route, to: str, weight: int) -> list[int]:
    """Whole weights that add up to 100, by the largest remainders, `to` with its own."""
    others = [
        (place, one)
        for place, (name, one) in enumerate(zip(route.names, route.weights, strict=True))
        if name != to
    ]
    total = sum(one for _, one in others)
    rest = WHOLE - weight
    # Where the others have nothing now, they share evenly.
    parts = {place: rest * (one / total if total else 1 / len(others)) for place, one in others}
    whole = {place: int(part) for place, part in parts.items()}
    left = rest - sum(whole.values())
    for place in sorted(parts, key=lambda place: whole[place] - parts[place])[:left]:
        whole[place] += 1
    return [whole.get(place, weight) for place in range(len(route.shares))]


def _routes(traffic: Traffic) -> list[_Route]:
    """The routes of an object that share traffic out between two destinations or more."""
    spec = fields_of(traffic.told, "spec")
    key, inner = ("http", "route") if traffic.word == VIRTUAL_SERVICE else ("rules", "backendRefs")
    found = [
        _Route(
            path=f"/spec/{key}/{place}/{inner}",
            name=text_of(one.get("name")),
            shares=items(one.get(inner)),
        )
        for place, one in enumerate(items(spec.get(key)))
    ]
    shared = [one for one in found if len(one.shares) > 1]
    for one in shared:
        if len(set(one.names)) < len(one.names):
            raise BadInput(f"{traffic} names one destination twice in a route.")
    return shared


def _destination(share: Told) -> str:
    to = fields_of(share, "destination")
    return text_of(to.get("subset")) or text_of(to.get("host")) or text_of(share.get("name"))


def _canary(traffic: Traffic, weight: int, later: Sequence[Told]) -> Change:
    """A canary that stops at `weight` until it is promoted, and goes on as it would have."""
    status = fields_of(traffic.told, "status")
    if status.get("stableRS") in (None, "", status.get("currentPodHash")):
        raise BadInput(f"{traffic} has no canary now: all its pods are of one revision.")
    steps = [{"setWeight": weight}, {"pause": {}}, *later]
    was = _canary_weight(traffic)
    made = deepcopy(dict(traffic.told))
    _put(made, "/spec/strategy/canary/steps", steps)
    return Change(
        on=traffic.told,
        kind=traffic.kind,
        ops=[{"op": "add", "path": "/spec/strategy/canary/steps", "value": steps}],
        wanted=made,
        says=f"{traffic}: canary {was} -> {weight} of {WHOLE}, and wait there",
        before={"was": was},
        already=was == weight and _steps(traffic)[:2] == steps[:2],
    )


def _canary_weight(traffic: Traffic) -> int:
    """What the canary has: as its router tells, else as its last step set."""
    status = fields_of(traffic.told, "status")
    told = fields_of(status, "canary", "weights", "canary").get("weight")
    if isinstance(told, int):
        return told
    done = _steps(traffic)[: count_of(status.get("currentStepIndex"))]
    return next((count_of(one["setWeight"]) for one in reversed(done) if "setWeight" in one), 0)


def _steps(traffic: Traffic) -> list[Told]:
    return items(fields_of(traffic.told, "spec", "strategy", "canary").get("steps"))


def _later_steps(traffic: Traffic) -> list[Told]:
    """What the canary would still have done, from the step that it waits at."""
    at = count_of(fields_of(traffic.told, "status").get("currentStepIndex"))
    return _steps(traffic)[at + 1 :]


def _steers(rollout: Told) -> bool:
    return bool(fields_of(rollout, "spec", "strategy", "canary", "trafficRouting"))


def _put(told: dict[str, object], path: str, value: object) -> None:
    """Replace what a JSON Pointer leads to; its parents are there."""
    *parents, last = path.strip("/").split("/")
    place: object = told
    for key in parents:
        if isinstance(place, list):
            place = place[int(key)]
        elif isinstance(place, dict):
            place = place[key]
    if isinstance(place, dict):
        place[last] = value


def _told(route: _Route, weights: Sequence[int]) -> str:
    return ", ".join(f"{name} {one}" for name, one in zip(route.names, weights, strict=True))


def _pair(path: str, weights: Sequence[int]) -> str:
    return f"{path}={','.join(map(str, weights))}"


def _weights_told(values: Values, name: str) -> dict[str, list[int]]:
    """Weights by the path of their route, as `before` keeps them."""
    told = values.get(name)
    pairs = [one.partition("=") for one in told] if isinstance(told, tuple) else []
    return {path: [int(one) for one in weights.split(",")] for path, _, weights in pairs}
