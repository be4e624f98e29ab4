"""What was spoken of stands in for "it", never for a name that nobody knows."""

import pytest

from opsmith.nouns.task import Clarify, Understood
from opsmith.parse.dialogue import State
from opsmith.parse.reader import SentenceReader

UNKNOWN = [
    "restart frontend",
    "scale frontend to 3",
    "roll back the web shop",
    "delete logs of frontend older than 7 days",
    "silence alerts of frontend for 2h",
    "restart <img src=x onerror=alert(1)>",
    "restart the thing",
    "把前端重启一下",
    "清理前端7天前的日志",
]
MEANT = [
    "restart it",
    "scale to 5",
    "scale it up by 2 replicas",
    "roll back to v2.0.9",
    "clean its logs older than 7 days",
    "重启它",
    "扩到5个副本",
    "回滚到上一版",
]


def after_talk_of_cart(reader: SentenceReader, text: str) -> Understood | Clarify:
    _, state = reader.read("show the error rate of cart", State())
    reading, _ = reader.read(text, state)
    assert isinstance(reading, Understood | Clarify)
    return reading


@pytest.mark.parametrize("text", UNKNOWN)
def test_an_unknown_name_is_asked_about_whatever_was_spoken_of(
    text: str, reader: SentenceReader
) -> None:
    reading = after_talk_of_cart(reader, text)

    assert isinstance(reading, Clarify)
    assert "service" in reading.missing
    assert all("cart" not in task.slots.values() for task in reading.tasks)


@pytest.mark.parametrize("text", UNKNOWN[:2] + UNKNOWN[-2:-1])
def test_an_unknown_name_is_asked_about_in_the_same_sentence(
    text: str, reader: SentenceReader
) -> None:
    reading, _ = reader.read(f"check the health of cart, then {text}")

    assert isinstance(reading, Clarify)


@pytest.mark.parametrize("text", MEANT)
def test_a_change_without_a_name_is_for_what_was_spoken_of(
    text: str, reader: SentenceReader
) -> None:
    reading = after_talk_of_cart(reader, text)

    assert isinstance(reading, Understood)
    assert reading.tasks[0].slots["service"] == "cart"
