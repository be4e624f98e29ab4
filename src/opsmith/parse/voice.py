"""Voice: "get cart restarted" is "restart cart"; a change that is over is left as it stands."""

from __future__ import annotations

import re

from opsmith.parse.lexicon import participles, phrase


def actively(text: str) -> str:
    """Put the participle of what is asked to be done into the active voice.

    >>> actively("please get cart restarted"), actively("was cart restarted")
    ('please get cart restart', 'was cart restarted')
    >>> actively("once cart has been restarted, check it")
    'after restart cart, check it'
    """
    active = _ASKED_DONE.sub(lambda match: match[1] + participles()[match[2].lower()], text)
    active = _ONCE_DONE.sub(lambda match: f"after {participles()[match[1].lower()]}", active)
    return _WAITED_FOR.sub(
        lambda match: f"after {participles()[match[2].lower()]} {match[1]}", active
    )


_LEAD = phrase("voice", "asked_done").pattern
_SOON_AS = phrase("voice", "waited_for").pattern
_IS_DONE = phrase("voice", "is_done").pattern
_PARTICIPLE = "|".join(sorted(participles(), key=len, reverse=True))
_FLAGS = re.IGNORECASE | re.ASCII
_ASKED_DONE = re.compile(rf"(?<![\w-])((?:{_LEAD}))({_PARTICIPLE})\b", _FLAGS)
_WAITED_FOR = re.compile(
    rf"\b(?:{_SOON_AS}) ((?:[^\s.?!,;]+ ){{1,7}}?)(?:{_IS_DONE}) ({_PARTICIPLE})\b", _FLAGS
)
# "once you have restarted it": the same, by whoever is spoken to.
_ONCE_DONE = re.compile(
    rf"\b(?:{_SOON_AS}) (?:you|we)(?:\W?ve| have)(?: \w+ly| all| both)? ({_PARTICIPLE})\b", _FLAGS
)
