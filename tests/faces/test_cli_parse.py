"""`opsmith parse` and `opsmith schema` at the terminal."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from opsmith.cli.main import opsmith

INVENTORY = {"services": ["cart", "gateway"], "service_aliases_zh": {"网关": "gateway"}}


@pytest.fixture
def inventory(tmp_path: Path) -> str:
    path = tmp_path / "inventory.json"
    path.write_text(json.dumps(INVENTORY), encoding="utf-8")
    return str(path)


def run(*arguments: str, text: str | None = None) -> tuple[int, str]:
    done = CliRunner().invoke(opsmith, list(arguments), input=text)
    return done.exit_code, done.stdout


def test_a_sentence_is_shown_as_checked_tasks(inventory: str) -> None:
    code, out = run("parse", "把网关扩到 6 个副本", "--inventory", inventory, "-o", "json")

    assert code == 0
    assert json.loads(out)["tasks"] == [
        {
            "intent": "scale_service",
            "slots": {"service": "gateway", "replicas": 6},
            "depends_on": [],
            "risk": "change",
        }
    ]


def test_a_question_and_a_refusal_are_answers_too(inventory: str) -> None:
    asked = run("parse", "scale cart", "--inventory", inventory)
    refused = run("parse", "restart all services", "--inventory", inventory)

    assert asked == (0, asked[1])
    assert "To how many replicas?" in asked[1]
    assert refused[1].startswith("refused (unsafe)")


def test_a_sentence_comes_from_standard_input_and_earlier_turns_from_a_file(
    inventory: str, tmp_path: Path
) -> None:
    turns = [{"role": "user", "text": "scale cart"}, {"role": "assistant", "text": "To how many?"}]
    context = tmp_path / "turns.json"
    context.write_text(json.dumps(turns), encoding="utf-8")

    _, out = run("parse", "--inventory", inventory, "--context", str(context), text="4\n")

    assert "service=cart, replicas=4" in out
    assert "decided by dialogue" in out


@pytest.mark.parametrize(
    "content", ["[1", "[1]", '{"services": 3}', '{"env_aliases": {"x": "moon"}}']
)
def test_a_bad_inventory_is_a_usage_error(content: str, tmp_path: Path) -> None:
    path = tmp_path / "inventory.json"
    path.write_text(content, encoding="utf-8")

    assert run("parse", "restart cart", "--inventory", str(path))[0] == 2


@pytest.mark.parametrize("content", ["{", '{"role": "user"}', '[{"role": "ghost", "text": "x"}]'])
def test_a_bad_context_is_a_usage_error(content: str, tmp_path: Path) -> None:
    path = tmp_path / "turns.json"
    path.write_text(content, encoding="utf-8")

    assert run("parse", "restart cart", "--context", str(path))[0] == 2


def test_the_schemas_are_listed_and_shown() -> None:
    listed = json.loads(run("schema", "list", "-o", "json")[1])
    shown = json.loads(run("schema", "show", "drain_node", "-o", "json")[1])

    assert {"task_id", "intent", "risk", "title"} == set(listed[0])
    assert shown["required"] == ["host"]
    assert "needs: host" in run("schema", "show", "drain_node")[1]
    assert "drain_node" in run("schema", "list")[1]
    assert run("schema", "show", "conjure")[0] == 2


def test_a_bad_schema_is_told_with_its_place(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    text = (
        "task_id: warm_cache\nversion: 1\ntitle: Warm a cache\nintent: warm_cache\nrisk: change\n"
        "required: []\nexpected_output_format: json\n"
        "inputs: {type: object, properties: {service: {type: string}}}\n"
    )
    good.write_text(text, encoding="utf-8")
    bad.write_text(text.replace("json", "jsn"), encoding="utf-8")
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"a: 1\nb: \xff\n")

    assert run("schema", "check", str(good))[0] == 0
    code, out = run("schema", "check", str(good), str(bad), str(binary))
    assert code == 1
    assert f"{bad}:7:1:" in out
    assert "Did you mean 'json'?" in out
    assert f"{binary}:2:" in out
    assert json.loads(run("schema", "check", str(bad), "-o", "json")[1])[str(bad)][0]["line"] == 7
    assert run("schema", "check", str(tmp_path / "none.yaml"))[0] == 2


def test_a_folder_of_schemas_is_used(tmp_path: Path) -> None:
    text = (
        "task_id: warm_cache\nversion: 1\ntitle: Warm a cache\nintent: warm_cache\nrisk: change\n"
        "required: []\nexpected_output_format: json\n"
        "inputs: {type: object, properties: {service: {type: string}}}\n"
    )
    (tmp_path / "warm.yaml").write_text(text, encoding="utf-8")

    assert "warm_cache" in run("schema", "list", "--schemas", str(tmp_path))[1]
    (tmp_path / "warm.yaml").write_text("task_id: 1", encoding="utf-8")
    assert run("schema", "list", "--schemas", str(tmp_path))[0] == 2
