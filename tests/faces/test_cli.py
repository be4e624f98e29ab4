import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from builders.bundles import write_bundle
from click.testing import CliRunner

from opsmith.cli.main import COMMANDS, opsmith

OPSMITH = [sys.executable, "-m", "opsmith"]


def test_every_command_in_the_table_loads_and_explains_itself() -> None:
    for name, (summary, load) in COMMANDS.items():
        command = load()

        assert command.name == name
        assert command.help
        assert summary.endswith(".")


def test_an_unknown_command_is_a_usage_error() -> None:
    done = CliRunner().invoke(opsmith, ["conjure"])

    assert done.exit_code == 2
    assert "No such command" in done.stderr


def test_a_reader_who_leaves_early_sees_no_traceback(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "pool")
    reader, writer = os.pipe()
    os.close(reader)

    done = subprocess.run(
        [*OPSMITH, "investigate", str(bundle)],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)

    assert done.stderr == ""
    assert done.returncode == 1


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_of_each_shell_names_the_command(shell: str) -> None:
    done = CliRunner().invoke(opsmith, ["completion", shell])

    assert done.exit_code == 0
    assert "_OPSMITH_COMPLETE" in done.stdout


def test_an_unknown_shell_is_a_usage_error() -> None:
    assert CliRunner().invoke(opsmith, ["completion", "csh"]).exit_code == 2


def test_bash_completes_commands_and_options(tmp_path: Path) -> None:
    bash = shutil.which("bash")
    assert bash
    folder = tmp_path / "bin"
    folder.mkdir()
    command = folder / "opsmith"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m opsmith "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    script = """
        source <(opsmith completion bash)
        COMP_WORDS=(opsmith inv); COMP_CWORD=1; _opsmith_completion opsmith; echo "${COMPREPLY[@]}"
        COMP_WORDS=(opsmith investigate --path-weights add); COMP_CWORD=3; COMPREPLY=()
        _opsmith_completion opsmith; echo "${COMPREPLY[@]}"
    """

    done = subprocess.run(
        [bash, "--noprofile", "--norc", "-c", script],
        env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.split() == ["investigate", "additive"]


def test_a_command_of_another_package_is_found_by_its_entry_point() -> None:
    context = click.Context(opsmith)

    assert "lab" in opsmith.list_commands(context)
    assert isinstance(opsmith.get_command(context, "lab"), click.Command)
