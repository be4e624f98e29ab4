import json

import pytest
from click.testing import CliRunner, Result

from opsmith import wiring
from opsmith.cli.main import opsmith
from opsmith.nouns.checkup import Checkup, Finding, State


def run(*arguments: str) -> Result:
    return CliRunner().invoke(opsmith, ["doctor", *arguments])


def found(*states: State) -> Checkup:
    return Checkup(
        findings=tuple(
            Finding(area="package", name=f"p{i}", state=state, detail="d", hint="h")
            for i, state in enumerate(states)
        )
    )


@pytest.mark.parametrize(
    ("states", "code", "status"),
    [
        ([State.OK, State.ABSENT], 0, "ok"),
        ([State.OK, State.UNREACHABLE], 3, "unreachable"),
        ([State.MISSING, State.UNREACHABLE], 1, "missing"),
    ],
)
def test_the_exit_code_says_the_worst(
    monkeypatch: pytest.MonkeyPatch, states: list[State], code: int, status: str
) -> None:
    monkeypatch.setattr(wiring, "check_up", lambda _: found(*states))

    assert run().exit_code == code
    done = run("-o", "json")
    assert done.exit_code == code
    assert json.loads(done.stdout)["status"] == status
    assert json.loads(done.stdout)["findings"][0]["name"] == "p0"


def test_a_configured_server_that_does_not_answer_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPSMITH_PROMETHEUS_URL", "http://ann:hunter2@127.0.0.1:1")

    done = run()

    assert done.exit_code == 3
    assert "DOWN" in done.stdout
    assert "OPSMITH_PROMETHEUS_URL" in done.stdout
    assert "hunter2" not in done.stdout


def test_without_servers_this_machine_is_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPSMITH_PROMETHEUS_URL", raising=False)

    done = run("-o", "json")

    assert done.exit_code == 0
    areas = {finding["area"] for finding in json.loads(done.stdout)["findings"]}
    assert areas == {"python", "package", "extra", "tool", "setting", "data", "kernel"}
