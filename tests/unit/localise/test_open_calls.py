"""Open files, as slow calls hold them and as they leak."""

import pytest
from small_systems import CART, FRONT, STOCK, Book, call, line, recording, requests

from opsmith.localise.open_calls import longer_calls, without_open_calls
from opsmith.localise.resource import resources
from opsmith.localise.scene import Scene, read_scene
from opsmith.nouns.series import Aspect


def shop(*, gap_s: float) -> Scene:
    """Front calls cart, and more files are open at both in the incident.

    gap_s: what the calls take then beside what cart does; 2 ms is as before.
    """

    def write(book: Book, at_s: float, ill: bool) -> None:  # noqa: FBT001 - as requests calls
        root = book.span(FRONT, "GET /", at_s, 1.0)
        call(book, root, CART, at_s, gap_s=gap_s if ill else 0.002)

    series = (
        line(FRONT, Aspect.FILES, 20.0, 60.0),
        line(CART, Aspect.FILES, 20.0, 60.0),
        line(CART, Aspect.CPU, 0.1, 0.12),
        line(STOCK, Aspect.FILES, 20.0, 60.0),
    )
    return read_scene(recording(spans=requests(write).spans(), series=series))


def test_open_files_count_less_on_both_ends_of_calls_that_take_longer() -> None:
    scene = shop(gap_s=1.2)
    before = resources(scene)

    after = without_open_calls(scene, [before])[0]

    assert after.strength[FRONT] == pytest.approx(before.strength[FRONT] / 100.0, rel=0.2)
    assert after.strength[CART] == pytest.approx(before.features["cpu"][CART])
    assert after.evidence[CART][0].claim.startswith("cpu of")
    assert after.strength[STOCK] == before.strength[STOCK]


def test_open_files_beside_calls_as_fast_as_ever_stay_what_they_are() -> None:
    scene = shop(gap_s=0.002)
    found = resources(scene)

    assert longer_calls(scene) == {}
    assert without_open_calls(scene, [found])[0].strength == found.strength


def test_without_traces_nothing_is_known_of_calls() -> None:
    assert longer_calls(read_scene(recording())) == {}
