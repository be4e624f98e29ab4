"""Task schemas: the built-in ones are good, bad ones are told with their place."""

from pathlib import Path

import pytest

from opsmith.errors import BadInput
from opsmith.nouns.task import Risk
from opsmith.parse.loading import builtin_schemas
from opsmith.parse.regex_bounds import fault_of
from opsmith.parse.schema_check import checked_schema, faults_of, flat_schema, problems_in
from opsmith.parse.schema_folder import SchemaFolder

GOOD = """\
task_id: warm_cache
version: 1
title: Warm a cache
intent: warm_cache
risk: change
required: [service]
expected_output_format: json
inputs:
  type: object
  additionalProperties: false
  properties:
    service: {type: string}
    share: {type: string, pattern: '^[0-9]{1,3}%$'}
"""


def test_every_built_in_intent_has_a_schema_with_examples() -> None:
    schemas = builtin_schemas()

    assert len(schemas) == 19
    assert all(schema.examples for schema in schemas.values())


def test_a_good_file_has_no_problem() -> None:
    assert problems_in(GOOD) == []


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("task_id: warm_cache", "task_id: Warm Cache!", 1, "does not match"),
        ("risk: change", "risk: chnage", 5, "Did you mean 'change'"),
        ("expected_output_format: json", "expected_output_format: xml", 7, "Known: json"),
        ("title: Warm a cache", "titel: Warm a cache", 3, "Did you mean 'title'"),
        ("required: [service]", "required: [servise]", 6, "Did you mean 'service'"),
        ("{type: string}", "{$ref: 'file:///etc/passwd'}", 12, "points outside"),
        ("{type: string}", "{$ref: 'https://example.org/s.json'}", 12, "points outside"),
        ("^[0-9]{1,3}%$", "^(a+)+$", 13, "exponential"),
        ("^[0-9]{1,3}%$", "^.*x.*y.*$", 13, "unbounded"),
        ("^[0-9]{1,3}%$", "([", 13, "no regular expression"),
        ("version: 1", "version: 1\nversion: 2", 3, "twice"),
        ("version: 1", "version: &a [*a]", 2, "alias"),
        ("version: 1", "version: [", 4, "not YAML"),
        ("{type: string}", "{type: strnig}", 12, "strnig"),
    ],
)
def test_a_problem_is_told_with_its_line_and_a_suggestion(
    old: str, new: str, line: int, says: str
) -> None:
    problems = problems_in(GOOD.replace(old, new, 1))

    assert any(problem.line == line and says in str(problem) for problem in problems), problems


@pytest.mark.parametrize(
    "text", ["", "[]", "just words", "a: " + "[" * 2000, "\t- x: !!python/object:os.x 1"]
)
def test_what_is_no_schema_at_all_is_a_problem(text: str) -> None:
    assert problems_in(text)


def test_a_bad_file_cannot_be_loaded() -> None:
    with pytest.raises(BadInput, match=r"mine\.yaml:5:"):
        checked_schema(GOOD.replace("risk: change", "risk: none"), name="mine.yaml")


@pytest.mark.parametrize("source", ["^(a|b)+$", r"(x)\1", "a" * 400, "((a*)b)*", "(?:a{1,500})+"])
def test_a_pattern_that_may_explode_is_refused(source: str) -> None:
    assert fault_of(source)


@pytest.mark.parametrize(
    "source", ["^[a-z]+-[0-9]+$", "^([0-9]{1,6}[smhd]){1,4}$", "a|b", "[)(+]+", r"\(a+\)"]
)
def test_a_bounded_pattern_is_accepted(source: str) -> None:
    assert fault_of(source) is None


def test_an_instance_is_checked_slot_by_slot() -> None:
    schema = builtin_schemas()["scale_service"]

    assert faults_of(schema, {"service": "cart", "replicas": 3}) == {}
    assert "replicas" in faults_of(schema, {"service": "cart", "replicas": -1})
    assert "" in faults_of(schema, {"service": "cart", "shell": "x"})
    assert "service" in faults_of(schema, {"service": "x" * 2000})


def test_the_schema_for_a_model_is_flat() -> None:
    flat = flat_schema(builtin_schemas()["query_metric"])

    assert flat["additionalProperties"] is False
    assert "pattern" not in str(flat)


def test_a_folder_keeps_the_last_good_file(tmp_path: Path) -> None:
    path = tmp_path / "warm.yaml"
    path.write_text(GOOD, encoding="utf-8")
    folder = SchemaFolder(tmp_path, builtin_schemas())

    assert folder.reload().changed
    path.write_text(GOOD[:40], encoding="utf-8")
    broken = folder.reload()

    assert broken.problems
    assert folder.schemas["warm_cache"].risk is Risk.CHANGE
    path.write_bytes(b"\xff\xfe")
    assert folder.reload().problems
    assert "warm_cache" in folder.schemas
    path.unlink()
    assert folder.reload().changed
    assert "warm_cache" not in folder.schemas


def test_a_folder_cannot_lower_the_risk_of_a_built_in_task(tmp_path: Path) -> None:
    text = GOOD.replace("intent: warm_cache", "intent: drain_node")
    (tmp_path / "x.yaml").write_text(text, encoding="utf-8")
    folder = SchemaFolder(tmp_path, builtin_schemas())

    assert "may not lower" in folder.reload().problems[0]
    assert folder.schemas["drain_node"].risk is Risk.DESTRUCTIVE


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        SchemaFolder(tmp_path / "none", builtin_schemas()).reload()
