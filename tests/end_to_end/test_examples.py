import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from opsmith.cli.main import opsmith

EXAMPLES = Path(__file__).parents[2] / "examples"
TRUTH = [json.loads(line) for line in (EXAMPLES / "truth.jsonl").read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("known", TRUTH, ids=lambda known: known["incident"])
def test_the_cause_its_kind_and_the_path_of_each_recorded_incident_are_found(known: dict) -> None:
    bundle = EXAMPLES / "incidents" / known["incident"]

    answer = CliRunner().invoke(opsmith, ["investigate", str(bundle), "-o", "json"])

    found = json.loads(answer.stdout)
    assert found["causes"][0]["entity"] == known["entity"]
    assert found["causes"][0]["kind"] == known["kind"]
    assert found["path"] == known["path"]


def test_the_truth_lies_beside_the_recordings_and_the_recordings_stay_small() -> None:
    files = [path for path in (EXAMPLES / "incidents").rglob("*") if path.is_file()]

    assert not any("truth" in path.name for path in files)
    assert sum(path.stat().st_size for path in files) <= 15 * 2**20
    assert {path.parent.name for path in files} == {known["incident"] for known in TRUTH}
