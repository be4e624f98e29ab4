"""Redaction: secrets leave log examples and labels before anyone sees them.

Sources: RFC 6750 (bearer tokens), RFC 7519 (JWT), RFC 7468 (PEM), RFC 3986, section 3.2.1
(credentials in URLs), AWS "Understanding unique identifiers" (access key prefixes), and the key
prefixes that GitHub, GitLab, Slack, Stripe and Google document for secret scanning.
"""

from __future__ import annotations

import re

HIDDEN = "[redacted]"

_PEM = re.compile(
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)",
    re.DOTALL,
)
_WHOLE = re.compile(
    r"\beyJ[\w-]{5,}\.[\w-]{5,}\.?[\w-]*"
    r"|\b(?:AKIA|ASIA|AROA|AIDA|AGPA)[A-Z0-9]{16}\b"
    r"|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}"
    r"|\bxox[abeoprs]-[\w-]{10,}|\b[sr]k_(?:live|test)_[A-Za-z0-9]{10,}|\bsk-[\w-]{20,}"
    r"|\bAIza[\w-]{30,}"
)
_AFTER_SCHEME = re.compile(r"(?i)\b(bearer|basic)(\s+)[\w.~+/=-]{8,}")
_IN_URL = re.compile(r"(\b[A-Za-z][\w+.-]{0,30}://)[^\s/@:?#]{0,200}:[^\s/@?#]{1,200}@")
_AFTER_NAME = re.compile(
    r"(?i)([\w.-]{0,40}(?:passw(?:or)?d|passwd|pwd|passphrase|secret|token|api_?-?key|access_?-?key"
    r"|private_?-?key|authorization|credential|cookie|session_?id)s?[\"']?\s{0,3}[=:]\s{0,3})"
    r"(?:\"[^\"]{1,400}\"|'[^']{1,400}'|[^\s,;&\"'}\])]{1,400})"
)
_EMAIL = re.compile(r"\b[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}\b")
# Every pattern needs one of these; most texts hold none and are passed through.
_HINT = re.compile(
    r"(?i)eyJ|A[KSRIG][IOP]A|gh[pousr]_|github_pat|glpat|xox|[sr]k[_-]|AIza|bearer|basic|://"
    r"|passw|pwd|passphrase|secret|token|key|authorization|credential|cookie|session|-----BEGIN"
)


def redacted(text: str, *, emails: bool = False) -> str:
    """The text with `[redacted]` in the place of each secret; e-mail addresses on request.

    >>> redacted("GET /pay?token=abc123&x=1 postgres://app:hunter2@db/shop")
    'GET /pay?token=[redacted]&x=1 postgres://[redacted]@db/shop'
    """
    if emails and "@" in text:
        text = _EMAIL.sub(HIDDEN, text)
    if not _HINT.search(text):
        return text
    text = _PEM.sub(HIDDEN, text)
    text = _WHOLE.sub(HIDDEN, text)
    text = _AFTER_SCHEME.sub(rf"\1\2{HIDDEN}", text)
    text = _IN_URL.sub(rf"\1{HIDDEN}@", text)
    return _AFTER_NAME.sub(rf"\1{HIDDEN}", text)


def redacted_value(name: str, value: str) -> str:
    """The value of a label or attribute, hidden as a whole where the name speaks of a secret."""
    return HIDDEN if _SECRET_NAME.search(name) and value else redacted(value)


_SECRET_NAME = re.compile(
    r"(?i)passw|pwd|passphrase|secret|(?:^|[._-])token$|api[._-]?key|access[._-]?key"
    r"|private[._-]?key|authorization|credential|cookie"
)
