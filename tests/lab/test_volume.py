import errno
from pathlib import Path

import pytest
from opsmith_lab.shop.volume import CHUNK_BYTES, JOURNAL_BYTES, Volume
from prometheus_client import CollectorRegistry

SIZE = 4 * CHUNK_BYTES


def test_a_full_volume_answers_a_write_as_a_full_file_system_does(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    volume = Volume(tmp_path / "payments", SIZE, registry)
    volume.journal("one")
    for _ in range(10):
        volume.dump()

    with pytest.raises(OSError, match="No space left") as full:
        volume.journal("two")

    assert full.value.errno == errno.ENOSPC
    assert volume.used_bytes() == SIZE == registry.get_sample_value("container_fs_usage_bytes")
    assert (volume.folder / "journal").read_text() == "one\n"

    volume.clear_dumps()
    volume.journal("three")
    assert (volume.folder / "journal").read_text() == "one\nthree\n"


def test_a_healthy_journal_starts_afresh_before_the_volume_is_full(tmp_path: Path) -> None:
    volume = Volume(tmp_path / "payments", 2 * JOURNAL_BYTES, CollectorRegistry())

    for _ in range(300):
        volume.journal("x" * 10_000)

    assert volume.used_bytes() < 2 * JOURNAL_BYTES
