"""Commands for hosts: what running one may do, and which are refused whoever asks."""

from __future__ import annotations

import re
import shlex

from opsmith.nouns.task import Risk
from opsmith.parse.lexicon import command_words

_PIECES = re.compile(r"\|\||&&|[;|\n]|&(?!>)")
_SUBSTITUTION = re.compile(r"\$\(|`|<\(|>\(|\$\{[^}]*[^\w}]")
_REDIRECT = re.compile(r"(?<![0-9&])>{1,2}(?!\s*/dev/null|&)|[0-9]>(?!&|\s*/dev/null)")
# What no approval should be asked for: the machine, its disks or its users' data would be lost,
# or code from elsewhere would run unseen.
_NEVER = (
    (
        re.compile(
            r"\brm\s+(?:\S+\s+)*(?:--no-preserve-root|/(?:\*|\s|$)|~/?(?:\s|$|\*)|\$HOME\b|\*(?:\s|$)|\.\*?(?:\s|$)|/\w+/?\*?(?:\s|$))",
            re.IGNORECASE,
        ),
        "it deletes a whole top-level folder",
    ),
    (
        re.compile(
            r"\b(?:mkfs(?:\.\w+)?|wipefs|shred)\b|\bdd\b.*\bof=/dev/|>\s*/dev/(?:sd|nvme|vd|hd)\w*",
            re.IGNORECASE,
        ),
        "it overwrites a disk",
    ),
    (
        re.compile(
            r"(?:\|\s*(?:sudo\s+)?(?:ba|z|da|k)?sh\b|\|\s*(?:sudo\s+)?(?:python|perl|ruby|node)\d?\b|\b(?:ba|z)?sh\s+<\(|\b(?:ba|z|da)?sh\s+-c\b|\beval\b|\bsource\s+/dev/tcp)",
            re.IGNORECASE,
        ),
        "it runs text that is not in the command as a program",
    ),
    (re.compile(r":\s*\(\s*\)\s*\{|\bwhile\s+true\b.*&", re.IGNORECASE), "it is a fork bomb"),
    (
        re.compile(r"\bbase64\s+(?:-d|-D|--decode)\b|\bxxd\s+-r\b|\\x[0-9a-f]{2}", re.IGNORECASE),
        "it hides what it runs behind an encoding",
    ),
    (
        re.compile(
            r"/etc/(?:shadow|gshadow|sudoers)|\bid_rsa\b|\.ssh/|\bauthorized_keys\b|/proc/\d+/environ|\.aws/credentials|\bkubectl\s+get\s+secrets?\b",
            re.IGNORECASE,
        ),
        "it touches secrets",
    ),
    (
        re.compile(r"/dev/tcp/|\bnc\b.*\s-e\b|\b(?:ncat|socat)\b.*\bexec\b", re.IGNORECASE),
        "it opens a shell to another machine",
    ),
    (
        re.compile(
            r"\bchmod\s+(?:-R\s+)?[0-7]*777\s+/(?:\s|$|\w+\s*$)|\bchown\s+-R\s+\S+\s+/(?:\s|$)",
            re.IGNORECASE,
        ),
        "it opens the whole file system",
    ),
    (
        re.compile(
            r"\b(?:curl|wget)\b.*(?:-d\s*@|--data\S*\s*@|--post-file|-T\s|--upload-file|-F\s)",
            re.IGNORECASE,
        ),
        "it sends files elsewhere",
    ),
    (
        re.compile(
            r"\biptables\s+(?:-F|--flush|-X)\b|\bsystemctl\s+(?:stop|disable|mask)\s+(?:auditd|firewalld|ufw)\b|\bhistory\s+-c\b|\bsetenforce\s+0\b",
            re.IGNORECASE,
        ),
        "it takes a guard away",
    ),
    (
        re.compile(r"\b(?:drop|truncate)\s+(?:database|table|schema)\b", re.IGNORECASE),
        "it drops data",
    ),
)


def refusal_of(command: str) -> str | None:
    """Why a command is never run, or None when it may go to approval.

    >>> refusal_of("rm -rf /")
    'it deletes a whole top-level folder'
    >>> refusal_of("df -h") is None
    True
    """
    for compiled, reason in _NEVER:
        if compiled.search(command):
            return reason
    if _SUBSTITUTION.search(command):
        return "it substitutes the output of another command"
    pieces = _split(command)
    if len(pieces) > 1 and max(_risk_of_piece(piece).rank for piece in pieces) > Risk.CHANGE.rank:
        return "it hides a destructive command in a chain; send that one alone"
    return None


def risk_of(command: str) -> Risk:
    """What running a command may do. A program opsmith does not know counts as a change.

    >>> [str(risk_of(command)) for command in ("df -h", "systemctl restart x", "rm -r /tmp/x")]
    ['read', 'change', 'destructive']
    """
    if not (pieces := _split(command)):
        return Risk.DESTRUCTIVE
    risks = [_risk_of_piece(piece) for piece in pieces]
    if _REDIRECT.search(command):
        risks.append(Risk.CHANGE)
    return max(risks, key=lambda risk: risk.rank)


def starts_command(word: str) -> bool:
    """Whether a word is a program or a path to one."""
    name = word.lower()
    return name.startswith(("/", "./")) or name in command_words().words["known"]


def _split(command: str) -> list[str]:
    return [piece.strip() for piece in _PIECES.split(command) if piece.strip()]


def _risk_of_piece(piece: str) -> Risk:
    try:
        words = _unwrapped(shlex.split(piece))
    except ValueError:
        return Risk.DESTRUCTIVE
    if not words:
        return Risk.CHANGE
    table = command_words()
    program, rest = words[0].rsplit("/", 1)[-1].lower(), " ".join(words[1:])
    if program.split(".")[0] in table.words["destructive"]:
        return Risk.DESTRUCTIVE
    if _only_looks(program, words[1:]):
        return Risk.READ
    return Risk.DESTRUCTIVE if table.drops.search(rest) else Risk.CHANGE


def _only_looks(program: str, arguments: list[str]) -> bool:
    table, rest = command_words(), " ".join(arguments)
    if program in table.subcommands:
        first = arguments[0] if arguments else ""
        return first in table.subcommands[program] and not table.drops.search(rest)
    writing = table.writing.get(program)
    return program in table.words["read_only"] and not (writing and writing.search(rest))


def _unwrapped(words: list[str]) -> list[str]:
    """The words from the program on, without `sudo`, `timeout 5` or `NAME=value` before it."""
    wrappers = command_words().words["wrappers"]
    wrapped = False
    while words and (
        words[0] in wrappers or "=" in words[0] or (wrapped and re.match(r"[-\d]", words[0]))
    ):
        wrapped = wrapped or words[0] in wrappers
        words = words[1:]
    return words
