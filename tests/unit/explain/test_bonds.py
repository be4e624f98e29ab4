"""Weighed links in words."""

from datetime import UTC, datetime

from opsmith.explain.bonds import MOST_TRIGGERS, bonds
from opsmith.nouns.graph import Link, LinkKind, Node, Subgraph

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ALERT = Node(id="alert:a", name="Slow", seen=NOW, texts={"entity": "service:cart"})


def metric(name: str) -> Node:
    return Node(id=f"metric:{name}", name=name, seen=NOW, texts={"entity": "service:db"})


def set_off(source: str, weight: float, **parts: float) -> Link:
    return Link(
        kind=LinkKind.TRIGGERS,
        source=f"metric:{source}",
        target="alert:a",
        seen=NOW,
        weight=weight,
        parts=parts,
    )


def test_a_weight_is_told_with_its_parts() -> None:
    together = Link(
        kind=LinkKind.CORRELATES_WITH,
        source="alert:a",
        target="metric:waits",
        seen=NOW,
        weight=0.4,
        parts={"together": 6, "first": 7, "second": 9, "bins": 60, "npmi": 0.71},
    )
    links = (set_off("waits", 0.8, delay_s=12, decay=0.87, overlap=0.5), together)

    said = bonds(Subgraph(nodes=(ALERT, metric("waits")), links=links))

    assert said == (
        (
            "waits of service:db may have set off Slow of service:cart: weight 0.80, of time 0.87"
            " (the alert began 12 s after the change), of words in common 0.50."
        ),
        (
            "Slow of service:cart and waits of service:db act together: weight 0.40, in 6 of 60"
            " minutes, by themselves in 7 and 9 (normalised mutual information 0.71)."
        ),
    )


def test_only_the_heaviest_are_told_and_what_did_not_change_before_is_said() -> None:
    links = tuple(set_off(f"m{n}", n / 20, decay=0.0, overlap=0.1) for n in range(12))

    said = bonds(Subgraph(nodes=(ALERT, *(metric(f"m{n}") for n in range(12))), links=links))

    assert len(said) == MOST_TRIGGERS
    assert said[0].startswith("m11 of service:db")
    assert "no change before the alert" in said[0]
