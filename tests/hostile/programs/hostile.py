"""Hostile programs: what a sandbox must hold. Each tries to get out, harm, or stay.

Run as `python hostile.py NAME KEY=VALUE…`, inside a sandbox; only the standard library. What works
and must not prints `ESCAPED …`; at its end a program prints `tried`, so that one which never came
to its attack is not taken for one that was held. The values say what lies outside.
"""

from __future__ import annotations

import sys
from inspect import getmembers, isfunction

import hostile_bounds
import hostile_calls
import hostile_places

if __name__ == "__main__":
    name, *given = sys.argv[1:]
    attacks = {
        found: one
        for part in (hostile_bounds, hostile_calls, hostile_places)
        for found, one in getmembers(part, isfunction)
    }
    attacks[name](dict(pair.split("=", 1) for pair in given))
    if name != "fork_bomb":
        print("tried", flush=True)
