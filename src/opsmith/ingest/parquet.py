"""Metrics in Parquet: columns `name`, `labels`, `at`, `value`, read through DuckDB."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import orjson
from numpy.typing import NDArray

from opsmith.ingest.files import LARGEST_FILE_BYTES, blocks
from opsmith.ingest.json_door import pairs
from opsmith.ingest.losses import Losses
from opsmith.ingest.samples import RawSeries, cleaned

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_GLOB_SIGNS = re.compile(r"([\[*?])")
_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "memory_limit": "4GB",
    "threads": 2,
    # Nothing is fetched: all that is needed is in the wheel.
    "autoinstall_known_extensions": False,
}
Numbers = NDArray[np.float64]
_COLUMNS = ("name", "labels", "at", "value")


def read(path: Path, losses: Losses) -> tuple[RawSeries, ...]:
    """All series of a Parquet file (or its `.gz`), cleaned; none if it is no such file.

    `labels` is a map, a struct or JSON text; `at` a timestamp (UTC) or Unix seconds.
    """
    # Loading it takes as long as all the rest of an investigation; few bundles hold Parquet.
    import duckdb  # noqa: PLC0415

    with _plain(path, losses) as plain, duckdb.connect(":memory:", config=_SETTINGS) as connection:
        try:
            found = _series(connection, _GLOB_SIGNS.sub(r"[\1]", str(plain)))
        except duckdb.Error as error:
            reason = str(error).splitlines()[0][:200].replace(str(plain), path.name)
            losses.note("metrics", f"{path.name}: cannot be read as Parquet ({reason})")
            return ()
    if found is None:
        what = f"lacks one of the columns {', '.join(_COLUMNS)}; not used."
        losses.note("metrics", f"{path.name}: {what}")
        return ()
    return cleaned(found, path.name, losses)


def wide(path: Path, losses: Losses) -> dict[str, Numbers] | None:
    """The columns of a table by name, (n,) each: times as Unix seconds, NULL as NaN.

    None for a file of the long layout that `read` takes, and for what is no Parquet (which
    `read` tells). Columns of text are left out. No name is ever part of a query.
    """
    import duckdb  # noqa: PLC0415 - as in `read`

    with _plain(path, losses) as plain, duckdb.connect(":memory:", config=_SETTINGS) as connection:
        try:
            plainly = [_GLOB_SIGNS.sub(r"[\1]", str(plain))]
            table = connection.execute("SELECT * FROM read_parquet(?)", plainly).fetchnumpy()
        except duckdb.Error:
            return None
    if table.keys() >= set(_COLUMNS):
        return None
    numbers = {str(name): _numbers(np.ma.asarray(column)) for name, column in table.items()}
    return {name: column for name, column in numbers.items() if column is not None}


def _numbers(column: np.ma.MaskedArray[tuple[int], np.dtype[np.generic]]) -> Numbers | None:
    if column.dtype.kind == "M":
        times = column.data.astype("datetime64[us]").astype(np.float64) / 1e6
    elif column.dtype.kind in "iuf":
        times = column.data.astype(np.float64)
    else:
        return None
    times[np.ma.getmaskarray(column)] = np.nan
    return times


@contextmanager
def _plain(path: Path, losses: Losses) -> Iterator[Path]:
    if path.suffix != ".gz":
        yield path
        return
    with tempfile.NamedTemporaryFile(suffix=".parquet") as unpacked:
        for block in blocks(path, "metrics", losses, limit=LARGEST_FILE_BYTES):
            unpacked.write(block)
        unpacked.flush()
        yield Path(unpacked.name)


def _series(connection: DuckDBPyConnection, path: str) -> list[RawSeries] | None:
    columns = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [path]).fetchall()
    types = {str(row[0]): str(row[1]) for row in columns}
    if not types.keys() >= set(_COLUMNS):
        return None
    dated = types["at"].startswith(("TIMESTAMP", "DATE"))
    text = types["labels"] == "VARCHAR"
    make, number = _statements(
        labels='"labels"' if text else 'to_json("labels")::VARCHAR',
        at='epoch_us("at") / 1e6' if dated else '"at"::DOUBLE',
    )
    connection.execute(make, [path])
    connection.execute(number)
    named = connection.execute("SELECT name, labels FROM identity ORDER BY number").fetchall()
    samples = connection.execute(
        "SELECT number, at_s, value FROM sample JOIN identity USING (name, labels)"
        " ORDER BY number, sample.rowid"
    ).fetchnumpy()
    cuts = np.flatnonzero(np.diff(samples["number"])) + 1
    times = np.split(np.asarray(samples["at_s"], dtype=np.float64), cuts)
    values = np.split(np.asarray(samples["value"], dtype=np.float64), cuts)
    return [
        RawSeries(
            name=str(name), labels=_labels(str(labels)), declared="", times_s=at, values=value
        )
        for (name, labels), at, value in zip(named, times, values, strict=False)
    ]


def _statements(*, labels: str, at: str) -> tuple[str, str]:
    text = (files("opsmith.ingest") / "sql" / "metrics.sql").read_text(encoding="utf-8")
    make, number, _ = text.split(";")
    return make.format(labels=labels, at=at), number


def _labels(text: str) -> tuple[tuple[str, str], ...]:
    try:
        return pairs(orjson.loads(text)) if text else ()
    except orjson.JSONDecodeError:
        return ()
