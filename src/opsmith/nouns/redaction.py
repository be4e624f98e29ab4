"""Redaction: takes a secret out of a text before the text is kept, shown or sent.

Rules over shapes, not a promise: a secret that looks like a plain word is not seen.
Sources of the shapes: RFC 9110 (Authorization), RFC 6265 (Cookie), RFC 3986 (userinfo),
RFC 7468 (PEM), RFC 7519 (JWT), and the token prefixes that the issuers document.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

REDACTED = "[redacted]"

_TELLING_NAME = (
    r"passwords?|passwd|passphrase|pwd|secret(?:[-_ ]?key)?|(?:api|access|private|account|shared)"
    r"[-_ ]?key|apikey|token|credentials?|authorization|session[-_]?id|jsessionid|phpsessid"
    r"|x[-_]api[-_]key|signature|密码|口令|密钥|令牌"
)
_SCHEME = r"(?:bearer|basic|digest|negotiate|apikey)"
_QUOTE = r"\\{0,3}[\"']"
# `<*>`, `{}` and `$NAME` stand for a value that is not there, so they stay.
_BARE_VALUE = r"(?![<{$*])[^\s,;&\"'<>]+"

_PEM = re.compile(
    r"(-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----).*?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|\Z)",
    re.DOTALL,
)
_COOKIE = re.compile(
    rf"\b((?:set-)?cookie(?:{_QUOTE})?\s{{0,3}}[:=]\s{{0,3}})"
    rf"(?:({_QUOTE})[^\"']*|(?!{_QUOTE})[^\r\n]+)",
    re.IGNORECASE,
)
_NAMED = re.compile(
    rf"((?:{_TELLING_NAME})(?:{_QUOTE})?\s{{0,3}}(?:[:=:]|=>|:=)\s{{0,3}}(?:{_SCHEME}\s+)?)"
    rf"(?:({_QUOTE})(?:(?!\2)(?:\\.|.))*(\2)?|(?!{_QUOTE}){_BARE_VALUE})",
    re.IGNORECASE,
)
_FLAG = re.compile(
    rf"(--(?:[\w-]{{0,30}}[-_])?(?:{_TELLING_NAME})\s{{1,3}})(?!-){_BARE_VALUE}", re.IGNORECASE
)
_SCHEMED = re.compile(rf"\b({_SCHEME}\s{{1,3}})[A-Za-z0-9._~+/=-]{{8,}}", re.IGNORECASE)
_USERINFO = re.compile(r"(://[^/\s:@\"']{0,200}:)[^/\s]{1,500}@")
_ISSUED = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"(?:AKIA|ASIA)[0-9A-Z]{16}"  # AWS access key id
    r"|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}"
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,}"  # Slack
    r"|[rs]k_(?:live|test)_[A-Za-z0-9]{10,}"  # Stripe
    r"|sk-[A-Za-z0-9_-]{20,}|hvs\.[A-Za-z0-9_-]{20,}|npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{30,}"
    r"|AIza[0-9A-Za-z_-]{35}"  # Google API key
    r"|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?"  # JWT
    r")"
)


def redact(text: str) -> str:
    """The text with what looks like a secret replaced by `[redacted]`.

    Linear in the length of the text; applied twice it changes nothing more.

    >>> redact("login of ann failed, password=hunter2, from postgres://ann:pw@db/shop")
    'login of ann failed, password=[redacted], from postgres://ann:[redacted]@db/shop'
    """
    for marks, pattern, replacement in _RULES:
        if any(mark in text for mark in marks):
            text = pattern.sub(replacement, text)
    if len(text) >= _SHORTEST:
        text = _ISSUED.sub(REDACTED, _SCHEMED.sub(rf"\1{REDACTED}", text))
    return text


def redact_name(name: str) -> str:
    """An entity's or incident's name without what can only be a secret: it stays a key to join on.

    >>> redact_name("database:postgres://ann:pw@db/token:5432")
    'database:postgres://ann:[redacted]@db/token:5432'
    """
    return _ISSUED.sub(REDACTED, _USERINFO.sub(rf"\1{REDACTED}@", name))


def redact_pairs(pairs: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Names with their values, as in labels and attributes; a secret name hides its value whole.

    >>> redact_pairs([("zone", "eu"), ("db_password", "hunter2")])
    (('zone', 'eu'), ('db_password', '[redacted]'))
    """
    return tuple(
        (name, REDACTED if value and _TELLING.search(name) else redact(value))
        for name, value in pairs
    )


_TELLING = re.compile(rf"(?:{_TELLING_NAME}|cookie)$", re.IGNORECASE)


def _hide_named(match: re.Match[str]) -> str:
    """Keep the name and the quotes, so that JSON around it stays JSON."""
    return f"{match[1]}{match[2] or ''}{REDACTED}{match[3] or ''}"


def _hide_cookie(match: re.Match[str]) -> str:
    return f"{match[1]}{match[2] or ''}{REDACTED}"


# Marks without one of which a rule cannot match: most labels have none, and are looked at for
# these alone.
_RULES: tuple[
    tuple[tuple[str, ...], re.Pattern[str], str | Callable[[re.Match[str]], str]], ...
] = (
    (("-----BEGIN",), _PEM, rf"\1{REDACTED}"),
    ((":", "="), _COOKIE, _hide_cookie),
    ((":", "=", ":"), _NAMED, _hide_named),
    (("--",), _FLAG, rf"\1{REDACTED}"),
    (("://",), _USERINFO, rf"\1{REDACTED}@"),
)
# The shortest text that names a scheme and eight marks of a secret; issued tokens are longer.
_SHORTEST = len("basic") + 1 + 8
