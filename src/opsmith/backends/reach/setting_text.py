"""One setting in the text of a configuration file: found and replaced, the rest left as it is.

The value is put in as one scalar of its format and read back, so that no value, whatever it
holds, becomes another setting.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from enum import StrEnum

import yaml

from opsmith.errors import BadInput, NotFound

Span = tuple[int, int]


class Format(StrEnum):
    """The forms of configuration files that are understood."""

    ENV = "env"
    JSON = "json"
    YAML = "yaml"


def get(text: str, key: str, form: Format) -> str:
    """The value of `key` (dots lead into mappings, numbers into lists).

    Raises `NotFound` when it is not there, `BadInput` when the file is broken or holds more
    than one value there.
    """
    start, end = _span(text, key, form)
    return _read(text[start:end], form)


def put(text: str, key: str, value: str, form: Format) -> str:
    """The text with another value for `key`; of the same type as the old one.

    Raises as `get` does, and `BadInput` for a value that the place cannot hold.
    """
    start, end = _span(text, key, form)
    changed = text[:start] + _written(value, text[start:end], key, form) + text[end:]
    if get(changed, key, form) != value:
        raise BadInput(f"{key} cannot be {value[:60]!r} in this file.")
    return changed


def _span(text: str, key: str, form: Format) -> Span:
    return _env_span(text, key) if form is Format.ENV else _tree_span(text, key)


def _env_span(text: str, key: str) -> Span:
    value = r"""("[^"\n]*"|'[^'\n]*'|[^\n]*?)(?:[ \t]+\#[^\n]*)?[ \t]*$"""
    pattern = rf"^[ \t]*(?:export[ \t]+)?{re.escape(key)}[ \t]*=[ \t]*{value}"
    found = list(re.finditer(pattern, text, re.MULTILINE))
    if not found:
        raise NotFound(f"The file has no setting {key[:60]!r}.")
    if len(found) > 1:
        raise BadInput(f"The file sets {key[:60]!r} more than once.")
    return found[0].span(1)


def _tree_span(text: str, key: str) -> Span:
    """JSON is read as the YAML that it is, for the places of its values."""
    try:
        if any(isinstance(e, yaml.AliasEvent) for e in yaml.parse(text, Loader=yaml.SafeLoader)):
            raise BadInput("The file uses YAML aliases; a value there may be another's too.")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise BadInput("The file is not one document of YAML or JSON.") from error
    for word in key.split("."):
        found = list(_children(node, word))
        if not found:
            raise NotFound(f"The file has no setting {key[:60]!r}.")
        if len(found) > 1:
            raise BadInput(f"The file sets {key[:60]!r} more than once.")
        node = found[0]
    if not isinstance(node, yaml.ScalarNode) or node.style in {"|", ">"}:
        raise BadInput(f"{key[:60]!r} is no single value that could be set.")
    return node.start_mark.index, node.end_mark.index


def _children(node: yaml.Node | None, word: str) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == word:
                yield value
    elif isinstance(node, yaml.SequenceNode) and word.isdecimal() and int(word) < len(node.value):
        yield node.value[int(word)]


def _read(raw: str, form: Format) -> str:
    if form is Format.ENV:
        quoted = len(raw) > 1 and raw[0] == raw[-1] and raw[0] in "\"'"
        return raw[1:-1] if quoted else raw
    value: object = yaml.safe_load(raw)
    return value if isinstance(value, str) else raw.strip()


def _written(value: str, old: str, key: str, form: Format) -> str:
    if not value.isprintable():
        raise BadInput(f"{key} must be printable, in one line.")
    if form is Format.ENV:
        return _env_written(value, old, key)
    kind = type(yaml.safe_load(old))
    if kind is str:
        return json.dumps(value, ensure_ascii=False)
    if type(yaml.safe_load(value)) is not kind or (form is Format.JSON and not _is_json(value)):
        raise BadInput(f"{key} is {old[:40]!r} now and must stay {kind.__name__}.")
    return value


def _env_written(value: str, old: str, key: str) -> str:
    """Quoted as it was; what a shell would expand or end the value with is refused."""
    if re.search(r"[\"'`$\\#;&|<>]", value) or value != value.strip():
        raise BadInput(f"{key} may not hold quotes, or what a shell would read as more.")
    mark = old[0] if len(old) > 1 and old[0] == old[-1] and old[0] in "\"'" else ""
    if not mark and re.search(r"\s", value):
        mark = '"'
    return f"{mark}{value}{mark}"


def _is_json(value: str) -> bool:
    try:
        json.loads(value)
    except ValueError:
        return False
    return True
