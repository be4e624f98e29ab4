"""Features: what all channels say of each candidate, as one table that names nobody.

Beside its own columns a candidate has those of its surroundings: the instances of a service and
the load of a host (are they ill together?), its siblings (is it ill alone?), its service and its
host, its callers and callees.  Shares of the incident's largest value and ranks among candidates
of one type make incidents of different size comparable.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opsmith.localise.alerts import storm_of
from opsmith.localise.base_rates import signature_of
from opsmith.localise.findings import Findings
from opsmith.localise.marks import Marks, marks_of
from opsmith.nouns.entity import Entity, EntityKind
from opsmith.nouns.recording import Recording
from opsmith.nouns.topology import EdgeKind, Topology

Matrix = NDArray[np.float64]
Rows = NDArray[np.intp]

# Columns whose surroundings are looked at: totals of a channel or of one side of its alerts.
TOTALS = (".sum", ".max", ".all", ".strength")
KINDS = (EntityKind.SERVICE, EntityKind.INSTANCE, EntityKind.HOST)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """Candidates by columns.

    values: (candidates, columns) float64, at least 0 but for differences.
    storm: how many alerts of different sort the incident has.
    marks: of each candidate, see `marks`; empty unless asked for, as they do name somebody.
    """

    entities: tuple[Entity, ...]
    columns: tuple[str, ...]
    values: Matrix
    storm: int
    marks: tuple[Marks, ...] = ()

    def select(self, columns: Sequence[str]) -> Matrix:
        """The named columns in that order, (candidates, len(columns)); an unknown one is NaN."""
        place = {name: number for number, name in enumerate(self.columns)}
        out = np.full((len(self.entities), len(columns)), np.nan)
        for number, name in enumerate(columns):
            if name in place:
                out[:, number] = self.values[:, place[name]]
        return out


def feature_table(
    recording: Recording,
    entities: Sequence[Entity],
    findings: Iterable[Findings],
    *,
    marked: bool = False,
) -> Table:
    """The table of the candidates `entities`, in their order. marked: with their marks.

    Columns: `<channel>.strength` as log(1 + strength²); each channel's own features; of the
    totals among them `<column>|<surroundings>`; of all `<column>#share` and of the totals
    `<column>#rank`; `kind.<type>`, `size.<relation>` and `storm`, the number of distinct alerts.
    """
    channels = tuple(findings)
    everyone = list(dict.fromkeys([*entities, *_spoken_of(recording, channels)]))
    row = {entity: number for number, entity in enumerate(everyone)}
    own = _own_columns(channels, row)
    totals = [name for name in own if name.endswith(TOTALS)]
    relations = _relations(recording.topology, row)
    around = _surroundings(np.column_stack([own[n] for n in totals]), relations) if totals else {}
    columns = own | _inside({n: own[n] for n in own if n not in totals}, relations.instances)
    for place, values in around.items():
        columns |= {f"{name}|{place}": values[:, k] for k, name in enumerate(totals)}
    columns = {name: values[: len(entities)] for name, values in columns.items()}
    columns |= _relative(columns, totals, _kinds(entities))
    storm = len({signature_of(alert) for alert in storm_of(recording)})
    columns |= _standing(entities, relations, storm)
    return Table(
        entities=tuple(entities),
        columns=tuple(columns),
        values=np.column_stack(list(columns.values())),
        storm=storm,
        marks=marks_of(recording, entities) if marked else (),
    )


@dataclass(frozen=True, slots=True)
class _Relations:
    """Groups of rows: a service or host with its instances; and pairs of rows that call."""

    instances: Mapping[int, Rows]
    hosted: Mapping[int, Rows]
    calls: NDArray[np.intp]


def _spoken_of(recording: Recording, channels: Sequence[Findings]) -> set[Entity]:
    named = {entity for findings in channels for entity in findings.strength}
    for findings in channels:
        for values in findings.features.values():
            named |= set(values)
    return named | set(recording.topology.entities)


def _own_columns(
    channels: Sequence[Findings], row: Mapping[Entity, int]
) -> dict[str, NDArray[np.float64]]:
    columns: dict[str, NDArray[np.float64]] = {}
    for findings in channels:
        strength = _spread(findings.strength, row)
        columns[f"{findings.channel}.strength"] = np.log1p(strength**2)
        for name, values in findings.features.items():
            columns[f"{findings.channel}.{name}"] = _spread(values, row)
    return columns


def _spread(values: Mapping[Entity, float], row: Mapping[Entity, int]) -> NDArray[np.float64]:
    out = np.zeros(len(row))
    for entity, value in values.items():
        out[row[entity]] = value
    return out


def _relations(topology: Topology, row: Mapping[Entity, int]) -> _Relations:
    groups: dict[EdgeKind, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    calls = []
    for edge in topology.edges:
        source, target = row[edge.source], row[edge.target]
        if edge.kind is EdgeKind.CALLS:
            calls.append((source, target))
        else:
            groups[edge.kind][target].append(source)
    arrays = {
        kind: {whole: np.unique(parts) for whole, parts in members.items()}
        for kind, members in groups.items()
    }
    return _Relations(
        instances=arrays.get(EdgeKind.INSTANCE_OF, {}),
        hosted=arrays.get(EdgeKind.RUNS_ON, {}),
        calls=np.array(sorted(set(calls)), dtype=np.intp).reshape(-1, 2),
    )


def _surroundings(totals: Matrix, relations: _Relations) -> dict[str, Matrix]:
    """For each surrounding the totals there, (n, totals); 0 where there is none."""
    around: dict[str, Matrix] = defaultdict(lambda: np.zeros_like(totals))
    for whole, parts in relations.instances.items():
        inside = totals[parts]
        ordered = np.sort(inside, axis=0)
        around["instances.mean"][whole] = inside.mean(axis=0)
        around["instances.max"][whole] = ordered[-1]
        around["service"][parts] = totals[whole]
        if len(parts) > 1:
            around["instances.second"][whole] = ordered[-2]
            others = np.where(inside == ordered[-1], ordered[-2], ordered[-1])
            around["siblings.max"][parts] = others
            around["above.siblings"][parts] = inside - others
    for host, load in relations.hosted.items():
        around["hosted.mean"][host] = totals[load].mean(axis=0)
        around["hosted.max"][host] = totals[load].max(axis=0)
        around["host"][load] = totals[host]
        around["beside.mean"][load] = totals[load].mean(axis=0)
    callers, callees = relations.calls.T
    np.maximum.at(around["callees.max"], callers, totals[callees])
    np.maximum.at(around["callers.max"], callees, totals[callers])
    around["above.callees"] = totals - around["callees.max"]
    return around


def _inside(
    columns: Mapping[str, NDArray[np.float64]], instances: Mapping[int, Rows]
) -> dict[str, NDArray[np.float64]]:
    """The mean over the instances of each service, for every column."""
    wholes = np.repeat(
        np.array(list(instances), dtype=np.intp), [len(parts) for parts in instances.values()]
    )
    parts = np.concatenate([np.zeros(0, dtype=np.intp), *instances.values()])
    out = {}
    for name, values in columns.items():
        count = np.bincount(wholes, minlength=len(values))
        total = np.bincount(wholes, values[parts], minlength=len(values))
        out[f"{name}|instances.mean"] = total / np.maximum(count, 1)
    return out


def _relative(
    columns: Mapping[str, NDArray[np.float64]], totals: Sequence[str], kinds: NDArray[np.int8]
) -> dict[str, NDArray[np.float64]]:
    """Each column as a share of its largest value; for totals, the rank inside the type too."""
    out = {}
    for name, values in columns.items():
        largest = values.max(initial=0.0)
        out[f"{name}#share"] = values / largest if largest > 0 else np.zeros_like(values)
    for name in totals:
        rank = np.zeros(len(kinds))
        for kind in np.unique(kinds):
            values = columns[name][kinds == kind]
            rank[kinds == kind] = len(values) - np.searchsorted(np.sort(values), values, "right")
        out[f"{name}#rank"] = rank
    return out


def _standing(
    entities: Sequence[Entity], relations: _Relations, storm: int
) -> dict[str, NDArray[np.float64]]:
    count = len(entities)
    sizes = {
        name: np.zeros(count) for name in ("instances", "siblings", "hosted", "callees", "callers")
    }
    for whole, parts in relations.instances.items():
        if whole < count:
            sizes["instances"][whole] = len(parts)
        sizes["siblings"][parts[parts < count]] = len(parts) - 1
    for host, load in relations.hosted.items():
        if host < count:
            sizes["hosted"][host] = len(load)
    callers, callees = relations.calls.T
    sizes["callees"] += np.bincount(callers, minlength=count)[:count]
    sizes["callers"] += np.bincount(callees, minlength=count)[:count]
    columns = {f"size.{name}": values for name, values in sizes.items()}
    kinds = _kinds(entities)
    for number, kind in enumerate(KINDS):
        columns[f"kind.{kind}"] = (kinds == number).astype(float)
    columns["storm"] = np.full(count, float(storm))
    return columns


def _kinds(entities: Sequence[Entity]) -> NDArray[np.int8]:
    numbers = {kind: number for number, kind in enumerate(KINDS)}
    return np.array([numbers.get(entity.kind, len(KINDS)) for entity in entities], dtype=np.int8)
