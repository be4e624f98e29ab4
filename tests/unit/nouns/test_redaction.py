import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsmith.nouns import redaction
from opsmith.nouns.redaction import REDACTED, redact, redact_name, redact_pairs

HIDDEN = "hunter2-Zq81xT"
NAMES = [
    "password",
    "DB_PASSWORD",
    "passwd",
    "client_secret",
    "api_key",
    "x-api-key",
    "auth_token",
]
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
KEY = f"-----BEGIN RSA PRIVATE KEY-----\n{HIDDEN}\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "form",
    ["{0}={1}", "{0}: {1}", '"{0}": "{1}"', "'{0}' => '{1}'", '\\"{0}\\":\\"{1}\\"', "--{0} {1}"],
)
def test_a_value_under_a_secret_name_is_hidden_and_the_rest_stays(name: str, form: str) -> None:
    text = f"before {form.format(name, HIDDEN)}, after"

    hidden = redact(text)

    assert HIDDEN not in hidden
    assert hidden.startswith("before ")
    assert hidden.endswith(", after") or "--" in form
    assert name in hidden


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {HIDDEN}",
        f"authorization=Basic {HIDDEN}",
        f"sent bearer {HIDDEN} twice",
        f"Cookie: sid={HIDDEN}; theme=dark",
        f'{{"set-cookie": "sid={HIDDEN}; Path=/", "status": 200}}',
        f"redis://default:{HIDDEN}@10.0.0.1:6379/0",
        f"amqp://u:p@ss{HIDDEN}@mq/",
        KEY,
        KEY.partition("-----END")[0],
        f"密码:{HIDDEN}",
        '{"password": "two words hunter2-Zq81xT and \' a quote"}',
    ],
)
def test_a_secret_known_by_its_place_is_hidden(text: str) -> None:
    assert HIDDEN not in redact(text)
    assert REDACTED in redact(text)


@pytest.mark.parametrize(
    "secret",
    [
        JWT,
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_" + "a1" * 18,
        "glpat-" + "x" * 20,
        "xoxb-123456789012-abcdef",
        "sk_live_" + "0a" * 12,
        "AIza" + "b" * 35,
    ],
)
def test_a_secret_known_by_its_prefix_is_hidden(secret: str) -> None:
    assert redact(f"got {secret} here") == f"got {REDACTED} here"


@pytest.mark.parametrize(
    "text",
    [
        "GET /cart?user=7 took 31 ms",
        "max_tokens=512 used",
        "password for ann was reset",
        "token: <*> expired",
        "token_count=5",
        "http://prometheus:9090/api/v1/query",
        "key=value",
        "secret named db-creds not found",
        "",
    ],
)
def test_a_harmless_text_is_left_alone(text: str) -> None:
    assert redact(text) == text


def test_json_around_a_secret_stays_json() -> None:
    line = json.dumps({"user": "ann", "password": HIDDEN, "ok": False})

    assert json.loads(redact(line)) == {"user": "ann", "password": REDACTED, "ok": False}


def test_a_label_with_a_secret_name_loses_its_value_and_others_are_searched() -> None:
    pairs = redact_pairs([("api_key", HIDDEN), ("url", f"http://a:{HIDDEN}@b"), ("token", "")])

    assert pairs == (("api_key", REDACTED), ("url", f"http://a:{REDACTED}@b"), ("token", ""))


@pytest.mark.parametrize(
    "piece", ["a", "token", "token=", "://a:", "--token ", "cookie", "eyJ", '"', "bearer "]
)
def test_a_line_of_a_million_characters_is_read_in_one_go(piece: str) -> None:
    assert redact(piece * (1_000_000 // len(piece)))


@given(
    st.text(alphabet=st.sampled_from("ab1:=\" '\\/@.-_;token password cookie bearer"), max_size=80)
)
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    once = redact(text)

    assert redact(once) == once


def test_a_name_is_kept_unless_it_can_only_be_a_secret() -> None:
    assert redact_name("service:auth-token:8080") == "service:auth-token:8080"
    assert redact_name(f"service:{JWT}") == f"service:{REDACTED}"
    assert HIDDEN not in redact_name(f"database:postgres://ann:{HIDDEN}@db")


PARTS = [
    "cookie",
    "basic",
    "bearer",
    "token",
    "--password",
    "://u:p@",
    "=",
    ":",
    " ",
    "hvs.",
    "a" * 9,
]


@given(st.lists(st.sampled_from(PARTS) | st.text(max_size=4), max_size=6).map("".join))
def test_rules_passed_over_for_want_of_their_marks_would_have_changed_nothing(text: str) -> None:
    slow = text
    for _, pattern, replacement in redaction._RULES:  # noqa: SLF001 - the slow obvious version
        slow = pattern.sub(replacement, slow)
    slow = redaction._SCHEMED.sub(rf"\1{REDACTED}", slow)  # noqa: SLF001 - as above
    slow = redaction._ISSUED.sub(REDACTED, slow)  # noqa: SLF001 - as above

    assert redact(text) == slow
