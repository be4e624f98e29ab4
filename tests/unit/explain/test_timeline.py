from dataclasses import replace
from datetime import timedelta

from builders.incidents import CART, FRONTEND, ONSET, alert, pool_exhausted

from opsmith.explain.story import Mark
from opsmith.explain.tell import tell
from opsmith.explain.terminal import terminal
from opsmith.explain.timeline import MOST_MOMENTS, timeline
from opsmith.nouns.recording import Recording


def test_moments_come_in_order_with_their_distance_to_the_onset() -> None:
    incident = pool_exhausted()

    moments, note = timeline(incident.diagnosis, incident.recording, incident.diagnosis.causes)

    assert [moment.mark for moment in moments] == [
        Mark.CHANGE,
        Mark.ONSET,
        Mark.EVIDENCE,
        Mark.EVIDENCE,
        Mark.ALERT,
        Mark.ALERT,
    ]
    assert [moment.offset for moment in moments][:4] == ["−4 min", "0 s", "0 s", "+20 s"]
    assert "2 times" in moments[-1].what
    assert note == "Not shown for want of a time: 1 alert."


def test_a_storm_is_cut_to_what_is_near_the_onset_and_the_rest_counted() -> None:
    incident = pool_exhausted()
    storm = tuple(alert(f"A{number:03d}", CART, 10.0 * number) for number in range(200))
    recording = replace(incident.recording, alerts=storm)

    moments, note = timeline(incident.diagnosis, recording, incident.diagnosis.causes)

    assert len(moments) == MOST_MOMENTS
    assert Mark.ONSET in {moment.mark for moment in moments}
    assert note == f"Not shown: {204 - MOST_MOMENTS} moments further from the onset."


def test_without_an_onset_the_first_moments_are_shown_without_a_distance() -> None:
    incident = pool_exhausted()
    storm = tuple(alert(f"A{number:03d}", FRONTEND, 10.0 * number) for number in range(100))
    diagnosis = replace(incident.diagnosis, onset=None, causes=())

    moments, _ = timeline(diagnosis, replace(incident.recording, alerts=storm), ())

    assert len(moments) == MOST_MOMENTS
    assert {moment.offset for moment in moments} == {""}
    assert moments[1].what == "A000 fires (critical)."


def test_an_empty_recording_has_no_timeline() -> None:
    diagnosis = replace(pool_exhausted().diagnosis, onset=None, causes=(), path=None)

    story = tell(diagnosis, Recording(name="x"), top=3)

    assert story.timeline == ()
    assert "Timeline" not in terminal(story)


def test_the_terminal_does_not_name_an_entity_twice_in_a_line() -> None:
    incident = pool_exhausted()

    text = terminal(tell(incident.diagnosis, incident.recording, top=3))

    assert "database:orders: database:orders" not in text
    assert f"{ONSET + timedelta(seconds=95):%H:%M:%S}" in text


def test_weak_facts_are_counted_and_not_shown() -> None:
    incident = pool_exhausted()
    first = incident.diagnosis.causes[0]
    weak = replace(first.evidence[0], strength=0.1, claim="too weak to say")
    cause = replace(first, evidence=(first.evidence[0], weak))

    story = tell(replace(incident.diagnosis, causes=(cause,)), incident.recording, top=3)

    assert len(story.candidates[0].exhibits) == 1
    assert story.candidates[0].left_out == 1


def test_what_one_entity_says_at_once_is_one_moment() -> None:
    incident = pool_exhausted()
    storm = tuple(alert(f"A{number}", CART, 10.0) for number in range(5))

    moments, _ = timeline(incident.diagnosis, replace(incident.recording, alerts=storm), ())

    assert [moment.what for moment in moments if moment.mark is Mark.ALERT] == [
        "A0 (critical), A1 (critical), A2 (critical) and 2 more fire."
    ]


def test_who_is_unlikely_and_has_nothing_against_him_is_not_shown() -> None:
    incident = pool_exhausted()
    likely = incident.diagnosis.causes[0]
    nobody = replace(likely, evidence=(), confidence=0.001)
    diagnosis = replace(incident.diagnosis, causes=(likely, nobody, nobody))

    story = tell(diagnosis, incident.recording, top=3)

    assert len(story.candidates) == 1
    assert story.candidates_left_out == 2
