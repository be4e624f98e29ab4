"""Last: a language model is asked about clauses on which rules and encoder abstain.

It sorts a clause and copies the words that say so; names, times and values are read by the same
lexers as ever, and the schema and the gate look at what comes out. A change that only the model
sees is asked about, never made.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files

from opsmith.errors import OpsmithError
from opsmith.nouns.redaction import redact
from opsmith.nouns.task import DecidedBy, Decision
from opsmith.parse.clauses import segments
from opsmith.parse.evidence import CHANGES, Guess
from opsmith.parse.lexicon import STRONG
from opsmith.parse.pieces import Step
from opsmith.parse.schema import TaskSchema
from opsmith.parse.second import SecondOpinion, shown
from opsmith.parse.spans import Tagger
from opsmith.seams.llm import Prompt

# Asks a model and waits for its words. Raises `OpsmithError` when there are none in time.
Ask = Callable[[Prompt], str]

# A sentence of more clauses than this that nobody understands is better asked about.
MOST_CLAUSES = 4
MAX_TOKENS = 96
NONE = "none"


def last_opinion(
    tagger: Tagger, ask: Ask, schemas: Mapping[str, TaskSchema]
) -> SecondOpinion | None:
    """What the model makes of a sentence in which nobody else found anything; None for nothing.

    One prompt a clause. A model that does not answer, answers no JSON, names an intent that is
    none or words that do not stand in the clause has said nothing.
    """
    clauses = [segment.text for segment in segments(tagger.text)]
    if not clauses or len(clauses) > MOST_CLAUSES:
        return None
    sorted_ = [(clause, _intent(shown(clause, tagger), ask, schemas)) for clause in clauses]
    known = [(clause, intent) for clause, intent in sorted_ if intent]
    if not known:
        return None
    intents = tuple(dict.fromkeys(intent for _, intent in known))
    decision = Decision(by=DecidedBy.LANGUAGE_MODEL, why=f"it reads {', '.join(intents)}")
    change = next((intent for intent in intents if intent in CHANGES), "")
    if change:
        return SecondOpinion(change=change, decision=decision)
    if len(intents) == 1:
        known = [(tagger.text, intents[0])]
    steps = tuple(
        Step(text=clause, guess=Guess(intent=intent, points=STRONG)) for clause, intent in known
    )
    return SecondOpinion(steps=steps, decision=decision)


def prompt_for(line: str, schemas: Mapping[str, TaskSchema]) -> Prompt:
    """The question about one clause, secrets redacted, with a flat schema for the answer."""
    kinds = "\n".join(f"{one.intent}: {one.title}" for one in schemas.values())
    text = _form().replace("{kinds}", kinds).replace("{line}", redact(line))
    schema = {
        "type": "object",
        "properties": {
            "intent": {"enum": [*(one.intent for one in schemas.values()), NONE]},
            "words": {"type": "string", "maxLength": 200},
        },
        "required": ["intent", "words"],
        "additionalProperties": False,
    }
    return Prompt(text=text, schema=json.dumps(schema), max_tokens=MAX_TOKENS)


def intent_in(answer: str, line: str, schemas: Mapping[str, TaskSchema]) -> str:
    """The intent that an answer names; empty when it is none or says what is not in the line."""
    try:
        told: object = json.loads(answer)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(told, dict):
        return ""
    intent, words = told.get("intent"), told.get("words")
    if not isinstance(intent, str) or not isinstance(words, str) or intent not in schemas:
        return ""
    said = " ".join(words.casefold().split())
    return intent if said and said in " ".join(line.casefold().split()) else ""


def _intent(line: str, ask: Ask, schemas: Mapping[str, TaskSchema]) -> str:
    if not line:
        return ""
    try:
        return intent_in(ask(prompt_for(line, schemas)), line, schemas)
    except OpsmithError:
        return ""


@cache
def _form() -> str:
    return (files("opsmith.parse") / "prompts" / "intent.txt").read_text(encoding="utf-8")
