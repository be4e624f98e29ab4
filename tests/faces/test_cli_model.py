"""`opsmith model`: choosing, listing, trying."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders.asgi import serving
from builders.models import Scripted, weights, write_adapter
from click.testing import CliRunner, Result

from opsmith.cli.main import opsmith


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OPSMITH_DATA_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def where() -> Iterator[str]:
    with serving(Scripted(words=('{"service": "checkout",', ' "healthy": false}')).app) as found:
        yield found


def run(*arguments: str) -> Result:
    return CliRunner().invoke(opsmith, ["model", *arguments])


def test_a_chosen_model_is_listed_and_tried(where: str) -> None:
    assert run("use", f"{where}/v1").exit_code == 0

    listed = json.loads(run("list", "-o", "json").stdout)
    tried = run("check")

    assert listed["chosen"] == {
        "url": f"{where}/v1",
        "model": "",
        "adapter": "",
        "kind": "openai",
    }
    assert listed["models"] == ["scripted"]
    assert tried.exit_code == 0
    assert 'scripted answers {"service": "checkout", "healthy": false}' in tried.stdout


def test_the_environment_beats_what_was_chosen(
    where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("use", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("OPSMITH_LLM_URL", where.replace("http", "ollama", 1))
    monkeypatch.setenv("OPSMITH_LLM_MODEL", "scripted")

    assert json.loads(run("list", "-o", "json").stdout)["chosen"]["kind"] == "ollama"
    assert run("check").exit_code == 0


@pytest.mark.parametrize(
    "url", ["", "ftp://x", "/no/such/file.gguf", "http://", "http://h:99999/v1", __file__]
)
def test_what_is_no_model_is_not_chosen(url: str, data_dir: Path) -> None:
    told = run("use", url)

    assert told.exit_code == 2
    assert not (data_dir / "model.json").exists()


def test_a_password_is_not_written_down(data_dir: Path) -> None:
    told = run("use", "https://ann:hunter2@models/v1")

    assert told.exit_code == 2
    assert "hunter2" not in told.output
    assert not (data_dir / "model.json").exists()


def test_without_a_model_check_says_what_to_do() -> None:
    assert "No language model is set" in run("list").output
    told = run("check")

    assert told.exit_code == 1
    assert "OPSMITH_LLM_URL" in told.output


def test_a_model_that_is_away_is_the_world() -> None:
    run("use", "http://127.0.0.1:9/v1")

    assert run("check").exit_code == 3
    assert "did not answer" in run("list").output


def test_doctor_tells_the_model_and_what_is_wrong_with_it(where: str, data_dir: Path) -> None:
    def told() -> list[tuple[str, str]]:
        found = json.loads(CliRunner().invoke(opsmith, ["doctor", "-o", "json"]).stdout)
        servers = [one for one in found["findings"] if one["area"] == "server"]
        return [(one["name"], one["state"]) for one in servers if "model" in one["name"]]

    run("use", f"{where}/v1", "--model", "scripted")
    assert told() == [("model scripted", "ok")]

    (data_dir / "model.json").write_text("[")
    assert told() == [("model", "unreachable")]


@pytest.mark.needs_model
def test_a_file_is_tried_in_this_machine() -> None:
    run("use", str(weights()))

    told = run("check", "-o", "json")

    assert told.exit_code == 0
    assert set(json.loads(json.loads(told.stdout)["text"])) == {"service", "healthy"}


def test_one_goes_back_to_what_was_chosen_before(where: str) -> None:
    assert run("rollback").exit_code == 1
    run("use", f"{where}/v1", "--model", "one")
    run("use", "http://127.0.0.1:9/v1")

    back = json.loads(run("rollback", "-o", "json").stdout)

    assert (back["url"], back["model"]) == (f"{where}/v1", "one")
    assert json.loads(run("list", "-o", "json").stdout)["chosen"]["model"] == "one"
    assert run("rollback").exit_code == 1


@pytest.mark.parametrize("text", ["[", "[]", "{}", '{"url": "x", "model": "", "before": [3]}'])
def test_a_choice_that_cannot_be_read_is_told_and_made_anew(
    where: str, data_dir: Path, text: str
) -> None:
    (data_dir / "model.json").write_text(text)

    assert "opsmith model use" in run("list").output
    assert run("rollback").exit_code == 2
    assert run("use", f"{where}/v1").exit_code == 0
    assert json.loads(run("list", "-o", "json").stdout)["models"] == ["scripted"]


def test_an_adapter_needs_a_file_that_it_goes_with(where: str, data_dir: Path) -> None:
    path = write_adapter(data_dir / "ours.gguf")
    assert run("use").exit_code == 2
    assert "No model is chosen" in run("use", "--adapter", str(path)).output
    run("use", f"{where}/v1")

    told = run("use", "--adapter", str(path))

    assert told.exit_code == 2
    assert "--model" in told.output
    assert run("use", "--adapter", "gone").exit_code == 2
    assert run("use", "--adapter", "../x").exit_code == 2
    assert json.loads(run("list", "-o", "json").stdout)["chosen"]["adapter"] == ""


@pytest.mark.needs_model
def test_an_adapter_goes_with_the_file_that_the_environment_names(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = write_adapter(data_dir / "ours.gguf")
    monkeypatch.setenv("OPSMITH_LLM_URL", str(weights()))
    assert run("use", "--adapter", str(adapter)).exit_code == 0

    with_it = json.loads(run("list", "-o", "json").stdout)
    monkeypatch.setenv("OPSMITH_LLM_URL", "http://127.0.0.1:9/v1")
    elsewhere = json.loads(run("list", "-o", "json").stdout)

    assert with_it["models"] == [f"{weights().stem}+ours"]
    assert elsewhere["chosen"]["adapter"] == ""


@pytest.mark.needs_model
def test_an_adapter_is_listed_tried_used_and_taken_back(data_dir: Path) -> None:
    folder = data_dir / "models"
    folder.mkdir()
    write_adapter(folder / "ours.gguf")
    write_adapter(folder / "wide.gguf", width=500)
    write_adapter(folder / "other.gguf", kind="qwen2")
    run("use", str(weights()))

    used = run("use", "--adapter", "ours")
    wide = run("use", "--adapter", "wide")
    rows = json.loads(run("adapters", "-o", "json").stdout)
    files = json.loads(run("list", "-o", "json").stdout)["files"]
    back = json.loads(run("rollback", "-o", "json").stdout)

    assert used.exit_code == 0
    assert "with the adapter ours" in used.output
    assert wide.exit_code == 3
    assert "cannot load" in wide.output
    listed = {one["name"]: (one["active"], bool(one["fault"])) for one in rows}
    assert listed == {"ours": (True, False), "wide": (False, False), "other": (False, True)}
    assert files == []
    assert back["adapter"] == ""
