"""Lists: names that stand together, and what is said of one item alone."""

from __future__ import annotations

from opsmith.parse.draft import Draft
from opsmith.parse.lexicon import phrase
from opsmith.parse.slots import Words, read_slots
from opsmith.parse.spans import TAG, Tagger

_LIST = phrase("compose", "list")


def first_list(text: str, kinds: tuple[str, ...], tagger: Tagger) -> list[str]:
    """The names of these kinds that stand in one list, the first of the text; each once."""
    names: list[str] = []
    end = -1
    for tag in TAG.finditer(text):
        span = tagger.span(tag[0])
        if span.kind not in kinds:
            continue
        if names and not _LIST.search(text[end : tag.start()]):
            break
        if str(span.value) not in names:
            names.append(str(span.value))
        end = tag.end()
    return names


def each_its_extreme(text: str, tagger: Tagger, made: list[Draft]) -> None:
    """Keep `agg` with the figure it is said of: "the loss and the average traffic"."""
    own: dict[str, object] = {}
    end = 0
    for tag in TAG.finditer(text):
        span = tagger.span(tag[0])
        if span.kind == "metric":
            told = Words.of("query_metric", text[end : tag.start()], tagger)
            own[str(span.value)] = read_slots(told, ("agg",), tagger).get("agg")
            end = tag.end()
    if len(own) < 2 or not any(list(own.values())[1:]):  # noqa: PLR2004 - of the first, of all
        return
    for draft in made:
        agg = own.get(str(draft.slots.get("metric")))
        draft.slots.pop("agg", None)
        if isinstance(agg, str):
            draft.slots["agg"] = agg
