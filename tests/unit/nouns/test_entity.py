import pytest

from opsmith.errors import BadInput
from opsmith.nouns.entity import Entity, EntityKind


def test_an_entity_reads_back_what_it_writes() -> None:
    entity = Entity(kind=EntityKind.DATABASE, name="orders:primary")

    assert Entity.parse(str(entity)) == entity


def test_an_edge_knows_its_ends() -> None:
    assert Entity.edge("checkout", "payments").ends == ("checkout", "payments")
    assert Entity.service("checkout").ends is None


@pytest.mark.parametrize("text", ["cart", "planet:cart", "service:", "service:a\nb", ":x"])
def test_what_is_no_entity_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        Entity.parse(text)
