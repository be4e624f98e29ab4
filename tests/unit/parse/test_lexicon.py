"""The words: what a pattern asks for must be able to stand in a tagged text."""

import re
import tomllib
from pathlib import Path

import pytest

from opsmith.parse import lexicon

FILES = sorted(Path(lexicon.__file__).parent.glob("*.toml"))
# A tag is no word character, so that no word begins or ends at it: `\b` beside one never holds
# next to a space.
BESIDE_A_TAG = re.compile(r"(?<!\\)\\b\(?<[a-z]+>|<[a-z]+>\)*\\b")


def sources(found: object) -> list[str]:
    if isinstance(found, str):
        return [found]
    if isinstance(found, dict):
        return [one for value in found.values() for one in sources(value)]
    if isinstance(found, list):
        return [one for value in found for one in sources(value)]
    return []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_pattern_looks_for_the_edge_of_a_word_at_a_tag(file: Path) -> None:
    wrong = [
        one for one in sources(tomllib.loads(file.read_text("utf-8"))) if BESIDE_A_TAG.search(one)
    ]

    assert not wrong
