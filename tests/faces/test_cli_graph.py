"""`opsmith graph`: filled from a recorded incident, asked, shown, written out."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from opsmith.cli.main import opsmith

BUNDLE = Path(__file__).parents[2] / "examples" / "incidents" / "bad-deploy"
GRAPHML = "{http://graphml.graphdrawing.org/xmlns}"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    assert run(folder, "load", str(BUNDLE)).exit_code == 0
    return folder


def run(folder: Path, *words: str, **environ: str) -> Result:
    return CliRunner(env={"OPSMITH_DATA_DIR": str(folder), **environ}).invoke(
        opsmith, ["graph", *words]
    )


def test_a_question_is_answered_as_a_table_and_as_json(data: Path) -> None:
    asked = "MATCH (i:Incident)-[:CONTAINS]->(a:Alert) RETURN i.cause AS cause, count(a) AS alerts"

    text, told = run(data, "query", asked), run(data, "query", asked, "-o", "json")

    assert text.output.splitlines()[0].split() == ["cause", "alerts"]
    answer = json.loads(told.output)
    assert answer["rows"][0]["cause"] == "service:catalogue"
    assert answer["cut"] is False


def test_a_question_that_would_write_is_refused(data: Path) -> None:
    answer = run(data, "query", "MATCH (n) DETACH DELETE n")

    assert answer.exit_code == 2
    assert "only reads" in answer.output


def test_an_incident_is_shown_with_weights_and_their_parts(data: Path) -> None:
    shown = run(data, "show", "bad-deploy").output

    assert "What set off the alerts:" in shown
    assert "delay_s" in shown
    assert "What was changed:" in shown


def test_an_unknown_incident_is_told_as_one(data: Path) -> None:
    answer = run(data, "show", "nope")

    assert answer.exit_code == 2
    assert "does not know" in answer.output


def test_the_graph_is_written_out_as_graphml_and_json(data: Path) -> None:
    tree = ET.fromstring(run(data, "export", "--format", "graphml").stdout)  # noqa: S314 - ours
    told = json.loads(run(data, "export", "--incident", "bad-deploy").stdout)
    whole = json.loads(run(data, "export").stdout)

    assert len(tree.findall(f".//{GRAPHML}node")) == len(whole["nodes"])
    assert len(tree.findall(f".//{GRAPHML}edge")) == len(whole["links"])
    assert told["nodes"][0]["id"] == "incident:bad-deploy"


def test_a_wrong_address_of_a_graph_is_refused(data: Path) -> None:
    answer = run(data, "show", "x", OPSMITH_GRAPH_URL="http://localhost")

    assert answer.exit_code == 2
    assert "bolt://" in answer.output
