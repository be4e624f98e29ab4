"""Two sets of Kubernetes-style documents -> what differs, by meaning rather than by line.

Order of keys and of files does not count; lists of named things are matched by their names.
What a VirtualService does to traffic (weights, timeouts, retries) is marked.
Source: Istio, "Virtual Service" reference.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import yaml

LONGEST_FILE = 2_000_000
DEEPEST = 30
_NAMING = ("name", "host", "subset", "key")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One value that differs. thing: the document; path: where in it; None: not there.

    mark: `weight`, `timeout`, `retries` of a VirtualService, else empty.
    """

    thing: str
    path: str
    before: str | None
    after: str | None
    mark: str = ""


def differences(
    before: Mapping[str, str], after: Mapping[str, str]
) -> tuple[tuple[Difference, ...], tuple[str, ...]]:
    """What differs between two sets of files (path to text), and the files that are no YAML."""
    bad: list[str] = []
    left, right = _things(before, bad), _things(after, bad)
    found = [
        one
        for thing in sorted(left.keys() | right.keys())
        for one in _between(thing, left.get(thing, {}), right.get(thing, {}))
    ]
    return tuple(found), tuple(sorted(set(bad)))


def _between(
    thing: str, left: Mapping[str, str], right: Mapping[str, str]
) -> Iterator[Difference]:
    for path in sorted(left.keys() | right.keys()):
        before, after = left.get(path), right.get(path)
        if before != after:
            mark = _mark(path) if thing.startswith("VirtualService ") else ""
            yield Difference(thing=thing, path=path, before=before, after=after, mark=mark)


def _mark(path: str) -> str:
    words = path.replace("[", ".").replace("]", "").split(".")
    return next((name for name in ("weight", "timeout", "retries") if name in words), "")


def _things(files: Mapping[str, str], bad: list[str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for path, text in files.items():
        for number, document in enumerate(_documents(path, text, bad)):
            name = _name(document) or f"{path}#{number}" * bool(number) or path
            found.setdefault(name, {}).update(_leaves(document))
    return found


def _documents(path: str, text: str, bad: list[str]) -> list[object]:
    if len(text) > LONGEST_FILE:
        bad.append(path)
        return []
    try:
        return [one for one in yaml.load_all(text, Loader=yaml.CSafeLoader) if one is not None]
    except (yaml.YAMLError, RecursionError):
        bad.append(path)
        return []


def _name(document: object) -> str:
    if not isinstance(document, dict):
        return ""
    kind, meta = document.get("kind"), document.get("metadata")
    if not isinstance(kind, str) or not isinstance(meta, dict) or "name" not in meta:
        return ""
    space = f"{meta['namespace']}/" if meta.get("namespace") else ""
    return f"{kind} {space}{meta['name']}"


def _leaves(value: object, path: str = "", depth: int = 0) -> dict[str, str]:
    if isinstance(value, dict) and value and depth < DEEPEST:
        return {
            where: text
            for key, inner in value.items()
            for where, text in _leaves(
                inner, f"{path}.{key}" if path else str(key), depth + 1
            ).items()
        }
    if isinstance(value, list) and value and depth < DEEPEST:
        names = _list_names(value)
        return {
            where: text
            for name, inner in zip(names, value, strict=True)
            for where, text in _leaves(inner, f"{path}[{name}]", depth + 1).items()
        }
    return {path: json.dumps(value, ensure_ascii=False, default=str)}


def _list_names(items: list[object]) -> list[str]:
    """What to call the members of a list: their own names where all have different ones."""
    for names in ([_named(one) for one in items], [_destination(one) for one in items]):
        if all(names) and len(set(names)) == len(names):
            return names
    return [str(n) for n in range(len(items))]


def _named(item: object) -> str:
    if not isinstance(item, dict):
        return ""
    return next((str(item[key]) for key in _NAMING if isinstance(item.get(key), str)), "")


def _destination(item: object) -> str:
    """Host and subset that a route of a VirtualService leads to."""
    place = item.get("destination") if isinstance(item, dict) else None
    if not isinstance(place, dict):
        return ""
    return "/".join(str(place[key]) for key in ("host", "subset") if key in place)
