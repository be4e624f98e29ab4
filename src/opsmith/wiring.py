"""The wiring: joins settings, backends and flows; the only file that knows every backend.

Each face calls a function here; what it needs is imported inside, so that `--help` stays quick.
"""

from __future__ import annotations
