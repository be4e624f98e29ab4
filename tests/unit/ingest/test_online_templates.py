"""Templates of a stream without end, in bounded memory."""

from random import Random

from opsmith.ingest.online_templates import OnlineTemplates


def test_lines_of_one_statement_share_a_template() -> None:
    mined = OnlineTemplates()

    for number in range(100):
        mined.template(f"order {number} of user u{number} paid in {number}.5 s")

    assert len(mined) == 1
    assert mined.template("order 7 of user x paid in 1 s") == "order <*> of user <*> paid in <*> s"


def test_other_statements_have_others() -> None:
    mined = OnlineTemplates()

    assert mined.template("connection refused by db") != mined.template("cache is cold now")
    assert mined.template("") == ""
    assert mined.template("") == ""


def test_memory_is_bounded_and_what_is_in_use_stays() -> None:
    rng, mined = Random(1), OnlineTemplates(most=50, most_shapes=100)

    for number in range(5_000):
        words = " ".join("".join(rng.choices("abcdefghij", k=6)) for _ in range(rng.randint(3, 9)))
        mined.template(words)
        assert mined.template(f"kept busy {number} times") == "kept busy <*> times"

    assert len(mined) == 50
