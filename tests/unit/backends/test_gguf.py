"""Heads of GGUF files: what they say, and what bytes of strangers may do."""

from pathlib import Path

import pytest
from builders.models import weights, write_adapter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opsmith.backends.llm.gguf import Head, head_of
from opsmith.errors import BadInput


def test_a_model_and_an_adapter_are_told_apart(tmp_path: Path) -> None:
    adapter = write_adapter(tmp_path / "ours.gguf")

    assert head_of(weights()) == Head(architecture="llama", adapter="")
    assert head_of(adapter) == Head(architecture="llama", adapter="lora")


def test_what_is_no_gguf_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(b"GGU")

    with pytest.raises(BadInput, match="no GGUF"):
        head_of(path)
    with pytest.raises(BadInput, match="cannot be read"):
        head_of(tmp_path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(rest=st.binary(max_size=300), cut=st.integers(min_value=0, max_value=600))
def test_any_bytes_have_some_head(rest: bytes, cut: int, tmp_path: Path) -> None:
    path = tmp_path / "any.gguf"
    with weights().open("rb") as file:
        start = file.read(max(cut, 4))
    path.write_bytes(start + rest)

    assert isinstance(head_of(path), Head)
