"""Investigate the recorded incidents beside this file and say where the reports are.

`make demo` runs it. It needs no network, no root and no server.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
OUT = HERE.parent / "out" / "demo"
SHOWN = ("pool-exhausted", "slow-dependency", "early-return")


def main() -> int:
    """Run the real command on each incident; the exit code is the worst of theirs."""
    OUT.mkdir(parents=True, exist_ok=True)
    worst = 0
    for name in SHOWN:
        report = OUT / f"{name}.html"
        bundle = HERE / "incidents" / name
        print(f"\n$ opsmith investigate examples/incidents/{name} --report {report.name}\n", flush=True)
        command = [sys.executable, "-m", "opsmith", "investigate", str(bundle), "--top", "2"]
        done = subprocess.run([*command, "--report", str(report)], check=False)
        worst = max(worst, done.returncode)
    print("\nOpen the reports in a browser:")
    for name in SHOWN:
        print(f"  {OUT / f'{name}.html'}")
    return worst


if __name__ == "__main__":
    sys.exit(main())
