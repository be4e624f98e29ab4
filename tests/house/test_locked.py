"""The lock file: hashes for everything, the address of no index, no local version."""

import re
from pathlib import Path

LOCK = (Path(__file__).parents[2] / "requirements.lock").read_text(encoding="utf-8")


def test_every_version_is_pinned_with_a_hash() -> None:
    pins = re.findall(r"^([A-Za-z0-9._-]+)==\S+.*\\\n\s+--hash=sha256:", LOCK, re.MULTILINE)
    names = re.findall(r"^([A-Za-z0-9._-]+)==", LOCK, re.MULTILINE)

    assert pins == names


def test_no_index_address_and_no_local_version_is_in_the_lock() -> None:
    assert "://" not in LOCK
    assert not re.search(r"==\S*\+", LOCK)
