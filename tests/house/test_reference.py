"""Docs keep up with the code: generated pages are fresh, nothing public is without an entry."""

import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from opsmith import errors
from opsmith.cli.main import COMMANDS
from opsmith.settings import Settings

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "opsmith"
REFERENCE = ROOT / "docs" / "reference"
ROOMS = [
    "ingest",
    "forecast",
    "detect",
    "localise",
    "explain",
    "parse",
    "plan",
    "execute",
    "audit",
]
# Rooms whose page is still owed; none is added here.
OWED = {"forecast"}


def test_the_generated_pages_are_fresh() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "reference.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


def entries() -> list[tuple[str, str]]:
    kinds = [value for value in vars(errors).values() if isinstance(value, type)]
    return [
        *(("commands", f"## `opsmith {name}`") for name in COMMANDS),
        *(("settings", f"| `{field.name}` |") for field in fields(Settings)),
        *(("errors", f"| `{kind.__name__}` |") for kind in kinds),
        *(("seams", f"## {path.stem}") for path in SOURCE.glob("seams/[!_]*.py")),
    ]


@pytest.mark.parametrize(("page", "entry"), entries())
def test_every_command_setting_error_and_seam_has_an_entry(page: str, entry: str) -> None:
    assert entry in (REFERENCE / f"{page}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_with_code_has_a_page(room: str) -> None:
    empty = not list((SOURCE / room).glob("[!_]*.py"))

    assert empty or room in OWED or (ROOT / "docs" / "rooms" / f"{room}.md").is_file()


def test_the_keys_of_the_json_answer_are_documented() -> None:
    text = (SOURCE / "explain" / "schemas" / "investigate.json").read_text(encoding="utf-8")
    page = (REFERENCE / "investigate-json.md").read_text(encoding="utf-8")

    assert all(f"| `{key}` |" in page for key in json.loads(text)["properties"])
