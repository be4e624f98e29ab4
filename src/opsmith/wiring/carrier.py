"""The carriers' command lines: each joins what acts with what shuts a process in.

They load those two and no more of opsmith: that of files starts anew with each verb.
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
_START_LINE = (
    "import sys; sys.path.insert(0, sys.argv[1]);"
    " from opsmith.backends.reach.lines import serve;"
    " from opsmith.backends.sandbox.enclose import enclose_line;"
    " from opsmith.wiring.carried_ways import builder;"
    " serve(enclose_line, builder(sys.argv[2]), packages=sys.argv[1], handle=int(sys.argv[3]))"
)
COMMAND = (sys.executable, "-I", "-c", _START, str(_PACKAGES))
LINE_COMMAND = (sys.executable, "-I", "-c", _START_LINE, str(_PACKAGES))
