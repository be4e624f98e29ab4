"""Policy and runbooks: YAML files of the operator, read anew each time, or those that ship."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from opsmith.errors import BadInput, Unreachable
from opsmith.parse.yaml_places import YamlFault, read_yaml
from opsmith.plan.policy import Policy, policy_from
from opsmith.plan.runbooks import Runbook as Runbook  # noqa: PLC0414 - faces know it by this name
from opsmith.plan.runbooks import runbooks_from


def policy(path: Path | None) -> Policy:
    """The policy in use. Raises `BadInput` or `Unreachable` when the file cannot be used."""
    return policy_from(_document(path, "default_policy.yaml", "policy"))


def runbooks(path: Path | None) -> tuple[Runbook, ...]:
    """The runbooks in use. Raises `BadInput` or `Unreachable` when the file cannot be used."""
    return runbooks_from(_document(path, "default_runbooks.yaml", "runbooks file"))


def _document(path: Path | None, shipped: str, what: str) -> object:
    source = path or files("opsmith.plan") / shipped
    try:
        text = source.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Unreachable(f"The {what} {source.name!r} cannot be read: {error}.") from error
    try:
        document, _ = read_yaml(text)
    except YamlFault as error:
        raise BadInput(f"The {what}, line {error.line}: {error}") from error
    return document
