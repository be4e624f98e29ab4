"""Hostile programs: what a sandbox must hold. Each tries to get out, harm, or stay.

Run as `python hostile.py NAME KEY=VALUE…`, inside a sandbox; only the standard library. What works
and must not prints `ESCAPED …`; at its end a program prints `tried`, so that one which never came
to its attack is not taken for one that was held. The values say what lies outside.
"""

from __future__ import annotations

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))

if __name__ == "__main__":
    name, *given = sys.argv[1:]
    sys.path.insert(0, HERE)
    for part in ("hostile_bounds", "hostile_calls", "hostile_places"):
        with open(f"{HERE}/{part}.py") as opened:
            if f"\ndef {name}(" in opened.read():
                attack = getattr(__import__(part), name)
    attack(dict(pair.split("=", 1) for pair in given))
    if name != "fork_bomb":
        print("tried", flush=True)
