"""A small shop whose names the sentences of these tests use."""

from pathlib import Path

import pytest

from opsmith.parse.loading import builtin_schemas, load_catalogue
from opsmith.parse.reader import SentenceReader


@pytest.fixture(scope="session")
def reader() -> SentenceReader:
    folder = Path(__file__).parent
    return SentenceReader(load_catalogue(folder / "inventory.yaml"), builtin_schemas())
