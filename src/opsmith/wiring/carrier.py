"""The carrier's command line: it joins what acts on files with what shuts a process in.

It loads those two and no more of opsmith, for it starts anew with each verb.
"""

from __future__ import annotations

import sys
from pathlib import Path

_PACKAGES = Path(__file__).parents[2]
_START = (
    "import sys; sys.path.insert(0, sys.argv[1]);"
    " from opsmith.backends.reach.carried import serve;"
    " from opsmith.backends.sandbox.enclose import enclose;"
    " serve(enclose, packages=sys.argv[1])"
)
COMMAND = (sys.executable, "-I", "-c", _START, str(_PACKAGES))
