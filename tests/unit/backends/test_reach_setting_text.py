"""One setting in a configuration file: replaced where it stands, and never more than it."""

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from opsmith.backends.reach.setting_text import Format, get, put
from opsmith.errors import BadInput, NotFound

ENV = "# pool\nexport POOL=40  # small\nNAME='a # b'\nEMPTY=\n"
YAML = '# shop\npool:\n  size: 40  # connections\n  name: "main"\nhosts: [a, b]\non: true\n'
JSON = '{\n  "pool": {"size": 40, "name": "main"},\n  "on": true\n}\n'


def test_only_the_value_changes_and_comments_stay() -> None:
    assert put(ENV, "POOL", "80", Format.ENV) == ENV.replace("40", "80")
    assert put(YAML, "pool.size", "80", Format.YAML) == YAML.replace("40", "80")
    assert put(JSON, "pool.size", "80", Format.JSON) == JSON.replace("40", "80")
    assert put(YAML, "hosts.1", "c", Format.YAML) == YAML.replace("b]", '"c"]')


def test_quotes_stay_as_they_were_and_come_when_they_must() -> None:
    assert put(ENV, "NAME", "c", Format.ENV) == ENV.replace("'a # b'", "'c'")
    assert put(ENV, "POOL", "a b", Format.ENV) == ENV.replace("=40 ", '="a b" ')
    assert get(ENV, "NAME", Format.ENV) == "a # b"
    assert get(ENV, "EMPTY", Format.ENV) == ""


def test_putting_the_old_value_back_gives_the_old_text() -> None:
    for text, key, form in ((ENV, "POOL", Format.ENV), (YAML, "pool.size", Format.YAML)):
        old = get(text, key, form)
        assert put(put(text, key, "80", form), key, old, form) == text


@pytest.mark.parametrize("form", [Format.YAML, Format.JSON])
def test_a_value_keeps_its_type(form: Format) -> None:
    text = YAML if form is Format.YAML else JSON
    for key, value in (("pool.size", "many"), ("on", "1"), ("pool.size", "true")):
        with pytest.raises(BadInput, match="must stay"):
            put(text, key, value, form)


@pytest.mark.parametrize("value", ["0x10", "0o7", "1_000", "~"])
def test_json_takes_only_what_json_knows(value: str) -> None:
    with pytest.raises(BadInput):
        put(JSON, "pool.size", value, Format.JSON)


@pytest.mark.parametrize(
    ("text", "key", "form", "error"),
    [
        (ENV, "pool", Format.ENV, NotFound),
        ("A=1\nA=2\n", "A", Format.ENV, BadInput),
        (YAML, "pool.colour", Format.YAML, NotFound),
        (YAML, "hosts.2", Format.YAML, NotFound),
        (YAML, "pool", Format.YAML, BadInput),
        ("a: &x 1\nb: *x\n", "a", Format.YAML, BadInput),
        ("a: 1\na: 2\n", "a", Format.YAML, BadInput),
        ("a: |\n  text\n", "a", Format.YAML, BadInput),
        ("a: [", "a", Format.YAML, BadInput),
        ("", "a", Format.YAML, NotFound),
    ],
)
def test_what_is_not_one_value_is_refused(
    text: str, key: str, form: Format, error: type[Exception]
) -> None:
    with pytest.raises(error):
        get(text, key, form)


HOSTILE = [
    "$(rm -rf /)",
    "`id`",
    "1; reboot",
    'x"\nOTHER=1',
    "a\nB=2",
    "x # y",
    " x",
    "a\\",
    "\x1b[2J",
]


@pytest.mark.parametrize("value", HOSTILE)
def test_an_environment_file_never_gets_what_a_shell_would_read_as_more(value: str) -> None:
    with pytest.raises(BadInput):
        put(ENV, "POOL", value, Format.ENV)


@given(st.text(min_size=1, max_size=80))
def test_whatever_the_text_only_one_setting_changes(value: str) -> None:
    for text, form, load in ((YAML, Format.YAML, yaml.safe_load), (JSON, Format.JSON, json.loads)):
        try:
            changed = put(text, "pool.name", value, form)
        except BadInput:
            continue
        before, after = load(text), load(changed)
        assert after["pool"].pop("name") == value
        before["pool"].pop("name")
        assert after == before
