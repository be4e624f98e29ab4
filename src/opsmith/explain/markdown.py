"""Markdown: the story as CommonMark with GFM tables; no name in it can become markup."""

from __future__ import annotations

import re

from jinja2 import Environment, PackageLoader, StrictUndefined

from opsmith.explain.story import Story

# ASCII punctuation that starts inline markup in CommonMark, GFM (tables, strikes, mentions, links)
# or the mathematics of common viewers; a backslash before it makes it a plain character.
_MARKUP = re.compile(r"([\\`*_\[\]<>|~&$@#!^{}])")
# What GFM turns into a link without markup around it.
_AUTOLINK = re.compile(r"(?i)(:)(//)|\b(www)(\.)")
# What starts a block, when it comes first on a line.
_BLOCK_START = re.compile(r"^(\s*)([-+](?=\s|$)|[-=](?=[-=]*\s*$)|\d{1,9}(?=[.)](?:\s|$)))")
_BACKTICKS = re.compile(r"`+")


class Markup(str):
    """Text that is Markdown already."""

    __slots__ = ()


def markdown(story: Story) -> str:
    """The whole report as Markdown."""
    environment = Environment(  # noqa: S701 - this is no HTML; `finalize` escapes every value
        loader=PackageLoader("opsmith.explain"),
        undefined=StrictUndefined,
        finalize=_finalized,
        keep_trailing_newline=True,
    )
    text = environment.get_template("report.md.j2").render(story=story, code=code, fenced=fenced)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def escaped(text: str) -> str:
    r"""The text as plain characters of one line of Markdown.

    >>> print(escaped("a|b <b>*x*</b>"))
    a\|b \<b\>\*x\*\</b\>
    """
    text = _MARKUP.sub(r"\\\1", " ".join(text.splitlines()))
    text = _AUTOLINK.sub(lambda m: ":\\//" if m[1] else f"{m[3]}\\.", text)
    return _BLOCK_START.sub(_block_start, text)


def code(text: str) -> Markup:
    """The text as a code span, with a fence longer than any in it; not for use in a table."""
    fence = _fence(text, shortest=1)
    pad = " " if text.startswith("`") or text.endswith("`") or text != text.strip() else ""
    return Markup(f"{fence}{pad}{text}{pad}{fence}")


def fenced(text: str) -> Markup:
    """The text as a block of code."""
    fence = _fence(text, shortest=3)
    return Markup(f"{fence}sh\n{text}\n{fence}")


def _fence(text: str, *, shortest: int) -> str:
    longest = max((len(run) for run in _BACKTICKS.findall(text)), default=0)
    return "`" * max(shortest, longest + 1)


def _block_start(match: re.Match[str]) -> str:
    digits = match[2].isdigit()
    return f"{match[1]}{match[2]}\\" if digits else f"{match[1]}\\{match[2]}"


def _finalized(value: object) -> str:
    return value if isinstance(value, Markup) else escaped(str(value))
