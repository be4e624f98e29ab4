"""An adapter on disk: the PEFT layout of a LoRA adapter, with its head, labels and manifest."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors import numpy as tensors

from opsmith.errors import BadInput, Conflict, Unreachable
from opsmith.numerics.lowrank import LowRank

FORMAT = 1
LAYER = "output_projection"
WIDTHS = (384, 768)
CONFIG, WEIGHTS, HEAD, LABELS = (
    "adapter_config.json",
    "adapter_model.safetensors",
    "head.safetensors",
    "labels.json",
)
MANIFEST = "manifest.json"
# 150 labels of width 768 in 32 bits are half a megabyte.
_LARGEST = 64_000_000
_PREFIX = f"base_model.model.{LAYER}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """Weights that can serve, read once and never changed.

    encoder: id of the encoder whose vectors they are for. threshold: below it the model abstains.
    scores: held-out figures by name. version: of these very weights.
    notes: what they were trained on, with licences.
    """

    encoder: str
    labels: tuple[str, ...]
    fitted: LowRank
    threshold: float
    scores: Mapping[str, float] = field(default_factory=dict)
    notes: str = ""
    version: str = ""


def save(adapter: Adapter, folder: Path) -> Adapter:
    """Write an adapter as a new folder, whole or not at all; returns it with its version.

    Raises `Conflict` when the folder is there already, `Unreachable` when it cannot be written.
    """
    if folder.exists():
        raise Conflict(f"There is an adapter {folder.name!r} already.", hint="Choose a new name.")
    blobs = _blobs(adapter)
    digests = {name: hashlib.sha256(blob).hexdigest() for name, blob in blobs.items()}
    blobs[MANIFEST] = _json(_manifest(adapter, digests))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".writing-"))
        try:
            for name, blob in blobs.items():
                (beside / name).write_bytes(blob)
            os.replace(beside, folder)  # noqa: PTH105 - a folder in one step
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    except OSError as error:
        raise Unreachable(f"The adapter folder {folder.parent} cannot be written.") from error
    return load(folder)


def load(folder: Path) -> Adapter:
    """Read and check an adapter. Raises `BadInput` with what is wrong with it."""
    manifest = _object(_read(folder / MANIFEST), MANIFEST)
    if manifest.get("format") != FORMAT:
        raise BadInput(f"{MANIFEST}: format {manifest.get('format')!r} is not {FORMAT}.")
    digests = manifest.get("sha256")
    if not isinstance(digests, dict) or set(digests) != {CONFIG, WEIGHTS, HEAD, LABELS}:
        raise BadInput(f"{MANIFEST}: `sha256` must name {CONFIG}, {WEIGHTS}, {HEAD}, {LABELS}.")
    blobs = {name: _read(folder / name) for name in digests}
    for name, blob in blobs.items():
        if hashlib.sha256(blob).hexdigest() != digests[name]:
            raise BadInput(f"{name} is damaged or not whole: its digest is not the manifest's.")
    return _adapter(manifest, blobs)


def _adapter(manifest: Mapping[str, object], blobs: Mapping[str, bytes]) -> Adapter:
    labels = _labels(blobs[LABELS])
    low, head = _arrays(blobs[WEIGHTS], WEIGHTS), _arrays(blobs[HEAD], HEAD)
    width, rank = _whole(manifest, "width"), _whole(manifest, "rank")
    config = _object(blobs[CONFIG], CONFIG)
    if width not in WIDTHS:
        raise BadInput(f"{MANIFEST}: the width {width} is none of {WIDTHS}.")
    if config.get("r") != rank or config.get("target_modules") != [LAYER]:
        raise BadInput(f"{CONFIG}: it must have `r` {rank} and `target_modules` [{LAYER!r}].")
    scale = _number(config, "lora_alpha", 1e-6, 1e6) / rank
    fitted = LowRank(
        centre=_shaped(head, "centre", (width,)),
        down=_shaped(low, f"{_PREFIX}.lora_A.weight", (rank, width)),
        up=scale * _shaped(low, f"{_PREFIX}.lora_B.weight", (width, rank)),
        weights=_shaped(head, "weight", (len(labels), width)),
        bias=_shaped(head, "bias", (len(labels),)),
        temperature=_number(manifest, "temperature", 0.01, 100.0),
    )
    scores = manifest.get("scores")
    return Adapter(
        encoder=str(manifest.get("encoder")),
        labels=labels,
        fitted=fitted,
        threshold=_number(manifest, "threshold", 0.0, 1.0),
        scores={str(name): float(value) for name, value in scores.items()}
        if isinstance(scores, dict) and all(isinstance(v, int | float) for v in scores.values())
        else {},
        notes=str(manifest.get("notes", "")),
        version=_version(blobs),
    )


def _blobs(adapter: Adapter) -> dict[str, bytes]:
    fitted = adapter.fitted
    config = {
        "peft_type": "LORA",
        "task_type": "FEATURE_EXTRACTION",
        "base_model_name_or_path": adapter.encoder,
        "r": fitted.rank,
        "lora_alpha": fitted.rank,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": [LAYER],
        "inference_mode": True,
    }
    low = {f"{_PREFIX}.lora_A.weight": fitted.down, f"{_PREFIX}.lora_B.weight": fitted.up}
    head = {"centre": fitted.centre, "weight": fitted.weights, "bias": fitted.bias}
    return {
        CONFIG: _json(config),
        WEIGHTS: tensors.save({k: v.astype(np.float32) for k, v in low.items()}),
        HEAD: tensors.save({k: v.astype(np.float32) for k, v in head.items()}),
        LABELS: _json(list(adapter.labels)),
    }


def _manifest(adapter: Adapter, digests: Mapping[str, str]) -> dict[str, object]:
    return {
        "format": FORMAT,
        "encoder": adapter.encoder,
        "width": int(adapter.fitted.centre.shape[0]),
        "rank": adapter.fitted.rank,
        "temperature": adapter.fitted.temperature,
        "threshold": adapter.threshold,
        "scores": dict(adapter.scores),
        "notes": adapter.notes,
        "sha256": dict(digests),
    }


def _version(blobs: Mapping[str, bytes]) -> str:
    whole = hashlib.sha256()
    for name in sorted(blobs):
        whole.update(blobs[name])
    return whole.hexdigest()[:12]


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > _LARGEST:
            raise BadInput(f"{path.name} has more than {_LARGEST} bytes.")
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path.name} cannot be read: {error.strerror}.") from error


def _json(value: object) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()


def _object(blob: bytes, name: str) -> Mapping[str, object]:
    try:
        found: object = json.loads(blob)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{name} is no JSON.") from error
    if not isinstance(found, dict):
        raise BadInput(f"{name} must hold one JSON object.")
    return found


def _labels(blob: bytes) -> tuple[str, ...]:
    try:
        found: object = json.loads(blob)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{LABELS} is no JSON.") from error
    if not isinstance(found, list) or not all(isinstance(one, str) and one for one in found):
        raise BadInput(f"{LABELS} must hold a list of names.")
    if len(found) < 2 or len(set(found)) != len(found):  # noqa: PLR2004 - one label decides nothing
        raise BadInput(f"{LABELS} must hold two or more names, each once.")
    return tuple(found)


def _arrays(blob: bytes, name: str) -> dict[str, NDArray[np.float64]]:
    try:
        found = tensors.load(blob)
    except (SafetensorError, ValueError) as error:
        raise BadInput(f"{name} is no safetensors file.") from error
    return {key: np.asarray(value, dtype=np.float64) for key, value in found.items()}


def _shaped(
    arrays: Mapping[str, NDArray[np.float64]], name: str, shape: tuple[int, ...]
) -> NDArray[np.float64]:
    found = arrays.get(name)
    if found is None or found.shape != shape:
        raise BadInput(f"The tensor {name} must have the shape {shape}.")
    if not np.isfinite(found).all():
        raise BadInput(f"The tensor {name} holds values that are no numbers.")
    return found


def _whole(manifest: Mapping[str, object], name: str) -> int:
    found = manifest.get(name)
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise BadInput(f"{MANIFEST}: `{name}` must be a whole number above 0.")
    return found


def _number(source: Mapping[str, object], name: str, low: float, high: float) -> float:
    found = source.get(name)
    if not isinstance(found, int | float) or isinstance(found, bool) or not low <= found <= high:
        raise BadInput(f"`{name}` must be a number from {low:g} to {high:g}.")
    return float(found)
