"""Pieces of a text under reading: segments between joints, and the steps made of them."""

from __future__ import annotations

from dataclasses import dataclass

from opsmith.parse.evidence import Guess


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A piece of the text with the marks that stood before it."""

    text: str
    marks: tuple[str, ...] = ()
    guess: Guess | None = None

    def has(self, *marks: str) -> bool:
        """Whether one of these marks stood before it."""
        return any(mark in self.marks for mark in marks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One piece of work, still in words.

    mark: how it hangs on the step before: "", "then", "and", "also", "comma", "else" or "stop".
    condition: the words of what must hold first; `negated` for "unless".
    shares: it had no verb of its own and shares the one before.
    unread: what is asked for under a condition behind it, in words that nothing here reads.
    succeeded: the word that joins it says that the step before went well.
    """

    text: str
    guess: Guess
    mark: str = ""
    condition: str = ""
    negated: bool = False
    shares: bool = False
    unread: str = ""
    succeeded: bool = False
