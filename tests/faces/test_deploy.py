"""What `deploy/` ships fits the opsmith beside it: units, settings, alert rules, dashboard."""

from __future__ import annotations

import configparser
import json
import re
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from opsmith_lab.components import find
from prometheus_client import CollectorRegistry

from opsmith import settings
from opsmith.cli.main import opsmith
from opsmith.wiring.crew import Gauges
from opsmith.wiring.own_metrics import OwnMetrics

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "opsmith.rules.yaml"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))


def _names(registry: CollectorRegistry) -> set[str]:
    """Every name under which `registry` may show samples."""
    families = list(registry.collect())
    return {family.name for family in families} | {f"{family.name}_total" for family in families}


@pytest.mark.needs_prometheus
def test_the_alert_rules_fire_when_they_should_and_only_then() -> None:
    done = subprocess.run(
        [str(find("promtool")), "test", "rules", str(DEPLOY / "prometheus" / "opsmith.test.yaml")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "file", [RULES, DEPLOY / "grafana" / "opsmith.json"], ids=lambda f: f.name
)
def test_every_metric_that_is_asked_for_is_one_of_ours(file: Path) -> None:
    asked = set(re.findall(r"\bopsmith_\w+", file.read_text(encoding="utf-8")))

    assert asked
    assert asked <= _names(OwnMetrics().registry) | _names(Gauges().registry)


def test_the_dashboard_names_each_panel_and_asks_the_chosen_server() -> None:
    panels = json.loads((DEPLOY / "grafana" / "opsmith.json").read_text())["panels"]

    assert len({panel["title"] for panel in panels}) == len(panels)
    assert {panel["datasource"]["uid"] for panel in panels} == {"${source}"}


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_starts_a_command_that_exists(unit: Path) -> None:
    words = _unit(unit)["Service"]["ExecStart"].replace("%i", "9417").split()
    told = CliRunner().invoke(opsmith, [*words[1:], "--help"])

    assert words[0] == "/opt/opsmith/bin/opsmith"
    assert told.exit_code == 0, told.output
    assert f"Usage: opsmith {words[1]}" in told.output


def test_every_setting_of_the_environment_file_is_one_of_ours() -> None:
    text = (DEPLOY / "systemd" / "opsmith.env").read_text(encoding="utf-8")
    lines = [line.lstrip("#") for line in text.splitlines() if "=" in line]
    given = dict(line.split("=", 1) for line in lines)
    known = settings.load(given)

    assert len(given) >= 3
    for name in given:
        assert hasattr(known, name.removeprefix("OPSMITH_").lower()), name


def _unit(path: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(path)
    return parser
