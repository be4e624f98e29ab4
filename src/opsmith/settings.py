"""Settings: the only file that reads the environment and the configuration.

A variable beats the configuration file, which beats the default.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a user may choose. Each field is `OPSMITH_<FIELD>` in the environment.

    data_dir: where opsmith keeps its state.
    prometheus_url: base URL of a Prometheus-compatible server, None for none.
    debug: show errors with their traceback (1 for yes).
    """

    data_dir: Path
    prometheus_url: str | None = None
    debug: bool = False


def wants_debug(environ: Mapping[str, str] | None = None) -> bool:
    """Whether errors are shown with their traceback; read on its own, so that it never fails."""
    source = os.environ if environ is None else environ
    return source.get("OPSMITH_DEBUG", "") not in {"", "0"}


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings. `environ` stands in for the process environment in tests."""
    source = os.environ if environ is None else environ
    home = Path(source.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return Settings(
        data_dir=Path(source.get("OPSMITH_DATA_DIR") or home / "opsmith"),
        prometheus_url=source.get("OPSMITH_PROMETHEUS_URL") or None,
        debug=wants_debug(source),
    )
