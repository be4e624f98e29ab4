"""Literals in a text: quoted words, reported speech and commands; data, never instructions."""

from __future__ import annotations

import re

from opsmith.parse.commands import starts_command
from opsmith.parse.lexicon import phrase
from opsmith.parse.spans import Found, Tagger, pattern

# An opening mark stands where a word may begin, a closing one where it may end, so that the
# apostrophes of "it's" and "users' logs" are none.
_QUOTED = re.compile(
    r"```(?P<fence>.+?)```|`(?P<tick>[^`\n]+)`|“(?P<curly>[^”]+)”|‘(?P<single>[^’]+(?:’\w[^’]*)*)’"
    r"|「(?P<corner>[^」]+)」|『(?P<white>[^』]+)』|«(?P<angle>[^»]+)»|《(?P<title>[^》]+)》"
    r'|(?<![\w"])"(?P<double>[^"\n]+)"|(?<![A-Za-z0-9\'])\'(?P<plain>[^\'\n]+(?:\'\w[^\'\n]*)*)\'(?![A-Za-z0-9])'
    r'|"(?P<double2>[^"\n]+)"',
    re.DOTALL,
)
_ONE_NAME = re.compile(r"[\w][\w.:/-]*", re.ASCII)
_NAMED_BEFORE = phrase("literals", "named_before")
_RUN_BEFORE = phrase("literals", "run_before")
_NEXT_COMMAND = phrase("literals", "next_command")
_SEARCHED_BEFORE = phrase("literals", "searched_before")
_SAID = phrase("literals", "said")
_TOLD = phrase("literals", "told")
_A_QUOTE = pattern("<quote>")
_TYPED = phrase("literals", "typed")
_TYPED_CHINESE = phrase("literals", "typed_chinese")
_PLACED = phrase("literals", "placed")
_SHELL_SHAPED = phrase("literals", "shell_shaped")


def tag_literals(tagger: Tagger) -> None:
    """Set quoted text, reported speech and commands aside.

    A quoted single name stays in the text as a name; a quotation after "run" is a command; what
    an annotation, a label or a log line says is data to the end of the text.
    """
    tagger.text = _QUOTED.sub(lambda match: _unquoted(tagger, match), tagger.text)
    tagger.tag(_SAID, _read_said)
    tagger.tag(_TYPED, _read_command)
    tagger.tag(_TYPED_CHINESE, _read_command)
    tagger.tag(_PLACED, _read_placed)


def tag_bare_commands(tagger: Tagger) -> None:
    """Take a quoted command as one to run where the text names hosts and asks for nothing else.

    "web-01: `uptime`", "what does `df -h` say on web-01". What is told or searched for stays data.
    """
    named = any(span.kind in {"host", "grp"} for span in tagger.spans)
    if named and not _TOLD.search(tagger.text):
        tagger.tag(_A_QUOTE, lambda match: _as_command(tagger, match[0]))


def _as_command(tagger: Tagger, tag: str) -> Found | None:
    words = str(tagger.span(tag).value)
    first = words.split(maxsplit=1)[0] if words else ""
    return Found(kind="cmd", value=words) if starts_command(first) else None


def _unquoted(tagger: Tagger, match: re.Match[str]) -> str:
    content = next(group for group in match.groups() if group is not None).strip()
    before = match.string[: match.start()][-48:]
    if _RUN_BEFORE.search(before):
        return tagger.keep(Found(kind="cmd", value=content), match[0])
    if _NEXT_COMMAND.search(before) and any(span.kind == "cmd" for span in tagger.spans):
        first = content.split()[0] if content else ""
        if starts_command(first):
            return tagger.keep(Found(kind="cmd", value=content), match[0])
    sought = _SEARCHED_BEFORE.search(before)
    if not sought and _ONE_NAME.fullmatch(content) and _is_name(content, before):
        return content
    return tagger.keep(Found(kind="quote", value=content), match[0])


def _is_name(content: str, before: str) -> bool:
    shaped = bool(re.search(r"[-_.\d]|[a-z][A-Z]", content)) and "/" not in content
    return shaped or bool(_NAMED_BEFORE.search(before))


def _read_said(match: re.Match[str]) -> Found | None:
    # A tag right after the verb is the quotation itself; what follows is the speaker's own again.
    if re.match(r"\W*[\ue000-\uf8ff]", match[2]):
        return None
    return Found(kind="quote", value=match[2].strip(), before=match[1])


def _read_placed(match: re.Match[str]) -> Found | None:
    """`ingress-02: systemctl reload nginx`: a command beside a host, and no other word."""
    words = next(group for group in match.groups()[1::2] if group)
    if not _SHELL_SHAPED.search(words):
        return None
    command = words.strip()
    first = command.removeprefix("sudo ").split()[0]
    before = match[1] or match[3] or ""
    return Found(kind="cmd", value=command, before=before) if starts_command(first) else None


def _read_command(match: re.Match[str]) -> Found | None:
    before, words = (group for group in match.groups() if group is not None)
    command = words.strip()
    first = command.split()[0] if command else ""
    if not starts_command(first.removeprefix("sudo ")):
        return None
    return Found(kind="cmd", value=command, before=before)
