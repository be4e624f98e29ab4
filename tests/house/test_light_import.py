"""`import opsmith` is light, and so is `opsmith --help`."""

import subprocess
import sys

HEAVY = {"numpy", "scipy", "numba", "httpx", "duckdb", "lightgbm", "yaml", "jinja2", "jsonschema"}


def loaded_by(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_importing_the_library_loads_no_library_with_a_wire_or_arrays() -> None:
    assert not loaded_by("import opsmith") & HEAVY


def test_the_help_of_the_command_loads_none_either() -> None:
    code = (
        "import contextlib, io\nfrom opsmith.cli.main import opsmith\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n"
        "    opsmith(['--help'], standalone_mode=False)"
    )

    assert not loaded_by(code) & HEAVY


def test_the_house_that_watches_starts_without_the_compiler_and_the_optimisers() -> None:
    code = "import opsmith.wiring.live, opsmith.http.api"

    assert not loaded_by(code) & {"numba", "llvmlite", "scipy", "duckdb", "lightgbm", "ladybug"}
