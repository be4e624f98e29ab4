from pathlib import Path

import pytest
from opsmith_lab import components


def test_a_program_in_the_tools_folder_is_found_before_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "prometheus"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("OPSMITH_TOOLS", str(tmp_path))

    assert components.find("prometheus") == program


def test_a_missing_program_is_named_with_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPSMITH_TOOLS", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(components.ComponentMissing) as raised:
        components.find("alertmanager")

    assert "python -m opsmith_lab.components" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_where_nothing_can_be_fetched_one_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPSMITH_TOOLS", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))

    assert components.main() == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "apt-get" in told
