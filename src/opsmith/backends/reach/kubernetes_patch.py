"""A change as a patch for the owner of an object: only what differs, as its tools merge it.

Built-in kinds merge lists by a key (strategic merge), custom ones replace them (RFC 7386).
Source: Kubernetes, "Update API Objects in Place Using kubectl patch", and the merge keys in the
OpenAPI of v1 PodSpec and Container.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import yaml

from opsmith.backends.reach.kubernetes_api import Kind, Told, fields_of, items, text_of
from opsmith.backends.reach.kubernetes_owners import Owner
from opsmith.backends.reach.kubernetes_workloads import Change

# By which field the entries of a list are told apart; other lists are one value.
_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "volumes": "name",
    "imagePullSecrets": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
}
_MERGED = frozenset({"apps", ""})
# What tells when and by which plan, and the hash that a controller adds; none belongs in a file.
_NOT_THEIRS = ("pod-template-hash", "rollouts-pod-template-hash", "opsmith/plan")


def patch_text(change: Change, owner: Owner | None, *, source: str, manifest: Path | None) -> str:
    """The patch with a head that says whose it is and where it belongs."""
    meta = fields_of(change.on, "metadata")
    name, place = text_of(meta.get("name")), text_of(meta.get("namespace"))
    keyed = change.kind.group in _MERGED
    changed = _differs(change.on, change.wanted, keyed=keyed)
    body = {
        "apiVersion": change.kind.api_version,
        "kind": change.kind.name,
        "metadata": {"name": name, "namespace": place},
        **(changed if isinstance(changed, dict) else {}),
    }
    merge, flag = ("strategic", "strategic") if keyed else ("JSON", "merge")
    head = [
        f"# {change.says}",
        f"# Kept by: {owner or 'nobody that its labels and field managers tell of'}",
        *([f"# Its source: {source}"] if source else []),
        *([f"# Belongs to: {manifest}"] if manifest else []),
        f"# A {merge} merge patch, for `patches` of a kustomization or for the manifest itself:",
        f"# kubectl patch --local -f MANIFEST --type {flag} --patch-file THIS -o yaml",
    ]
    plain = [" ".join(line.split()) for line in head]
    return "\n".join(plain) + "\n" + yaml.safe_dump(body, sort_keys=False, allow_unicode=True)


def write(folder: Path, text: str) -> Path:
    """Keep it; the same patch has the same name."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def _differs(old: object, new: object, *, keyed: bool, under: str = "") -> object:
    """What a merge must say to make `new` of `old`; None when they are the same."""
    if isinstance(old, dict) and isinstance(new, dict):
        return _mapping(old, new, keyed=keyed)
    key = _KEYS.get(under) if keyed else None
    if key and isinstance(old, list) and isinstance(new, list):
        return _entries(items(old), items(new), key)
    return None if old == new else new


def _mapping(old: Told, new: Told, *, keyed: bool) -> dict[str, object] | None:
    told: dict[str, object] = {}
    for name in (*new, *(one for one in old if one not in new)):
        if name in _NOT_THEIRS:
            continue
        if name not in new:
            told[name] = None  # a merge removes what is null
        elif name not in old:
            told[name] = new[name]
        elif (one := _differs(old[name], new[name], keyed=keyed, under=name)) is not None:
            told[name] = one
    return told or None


def _entries(old: list[Told], new: list[Told], key: str) -> list[Mapping[str, object]] | None:
    before = {text_of(one.get(key)): one for one in old}
    after = {text_of(one.get(key)): one for one in new}
    told: list[Mapping[str, object]] = []
    for name, one in after.items():
        if name not in before:
            told.append(one)
        elif (differs := _mapping(before[name], one, keyed=True)) is not None:
            told.append({key: name, **differs})
    told.extend({key: name, "$patch": "delete"} for name in before if name not in after)
    return told or None


def belongs(owner: Owner | None, source: str, manifest: Path | None, kind: Kind) -> str:
    """Where a patch goes, in words."""
    if manifest is not None:
        return f"it belongs to {manifest}"
    if source:
        return f"it belongs to the source of {owner}: {source}"
    return f"give it to {owner}" if owner else f"it belongs to the manifest of this {kind.name}"
