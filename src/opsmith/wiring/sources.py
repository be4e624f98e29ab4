"""The wiring of telemetry: settings and the sources file become open sources."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from opsmith.backends.changes.git import GitChanges
from opsmith.backends.logs.files import FileLogs
from opsmith.backends.logs.loki import LokiLogs
from opsmith.backends.metrics.prometheus import Describe, Hear, PrometheusMetrics
from opsmith.backends.metrics.several import SeveralMetrics
from opsmith.backends.wire.http import HttpWire
from opsmith.errors import BadInput
from opsmith.ingest.label_rules import describe as by_label_rules
from opsmith.ingest.log_lines import level_named, read_line, records
from opsmith.nouns.entity import Entity
from opsmith.nouns.log_line import LogLine, LogQuery
from opsmith.seams.changes import Changes
from opsmith.seams.logs import Logs
from opsmith.seams.wire import Access
from opsmith.settings import Settings
from opsmith.wiring.source_file import (
    FilesShape,
    GitShape,
    KubernetesShape,
    LokiShape,
    SourcesShape,
    read,
)

Opened = PrometheusMetrics | SeveralMetrics


def say(lack: str) -> None:
    """Say on standard error what an answer lacks."""
    logging.getLogger("opsmith.sources").warning("%s", lack)


def open_metrics(
    settings: Settings,
    *,
    url: str | None = None,
    describe: Describe = by_label_rules,
    hear: Hear = say,
) -> Opened | None:
    """The metrics servers of the settings, or the one that `url` names; None when there is none.

    url: an address, or the name of a source of the file. An address that the file knows is
    asked as the file says. Without it `OPSMITH_PROMETHEUS_URL` is asked, else all of the file.
    Raises `BadInput` when the file is wrong or no source has that name.
    """
    known = _known(read(settings.sources_file))
    wanted = url or settings.prometheus_url
    if wanted is not None:
        return _one(_access(wanted, known), describe, hear)
    servers = {name: _one(access, describe, hear) for name, access in known.items()}
    if len(servers) > 1:
        return SeveralMetrics(servers, hear=hear)
    return next(iter(servers.values()), None)


def probes(settings: Settings) -> Mapping[str, Callable[[], Awaitable[None]]]:
    """A small question to each configured server, by its name."""
    known = _known(read(settings.sources_file))
    if settings.prometheus_url:
        known = {"prometheus": _access(settings.prometheus_url, known), **known}

    def probe(access: Access) -> Callable[[], Awaitable[None]]:
        async def ask() -> None:
            async with aclosing(_one(access, by_label_rules, say)) as metrics:
                await metrics.query("vector(1)", at=_now())

        return ask

    return {
        **{name: probe(access) for name, access in known.items()},
        **{name: partial(_search_little, logs) for name, logs in open_logs(settings).items()},
        **{name: partial(_since_lately, one) for name, one in open_changes(settings).items()},
    }


async def _since_lately(changes: Changes) -> None:
    """Ask a source of changes for those of the last minute."""
    await changes.since(_now() - timedelta(minutes=1))


async def _search_little(logs: Logs) -> None:
    """Ask a source of logs for one line of the last minute."""
    async with aclosing(logs):
        now = _now()
        await logs.search(LogQuery(start=now - timedelta(minutes=1), end=now, limit=1))


def open_logs(settings: Settings) -> dict[str, Logs]:
    """The sources of logs of the file, by name; close each when done.

    Raises `BadInput` when the file is wrong.
    """
    return {one.name: _logs(one) for one in read(settings.sources_file).logs}


def open_changes(settings: Settings) -> dict[str, Changes]:
    """The sources of changes of the file, by name.

    Raises `BadInput` when the file is wrong, `MissingExtra` without the extra that one needs.
    """
    return {one.name: _changes(one) for one in read(settings.sources_file).changes}


def _changes(shape: GitShape | KubernetesShape) -> Changes:
    if isinstance(shape, GitShape):
        return GitChanges(
            shape.folder,
            entity=Entity.parse(shape.entity),
            change=shape.change,
            tags=shape.tags,
            branch=shape.branch,
            paths=shape.paths,
        )
    from opsmith.backends.changes.kubernetes import KubernetesChanges

    return KubernetesChanges(shape.kubeconfig, context=shape.context, namespace=shape.namespace)


def _logs(shape: FilesShape | LokiShape) -> Logs:
    if isinstance(shape, LokiShape):
        return LokiLogs(
            HttpWire(shape.access()),
            read=_from_stream,
            clock=_now,
            service_label=shape.service_label,
            selector=shape.selector,
        )

    def from_file(lines: Iterable[str], path: str, now: datetime) -> Iterator[LogLine]:
        service = shape.service or Path(path).name.partition(".")[0]
        return records(lines, service=service, source=path, now=now)

    return FileLogs(shape.paths, read=from_file, clock=_now)


def _from_stream(text: str, service: str, level: str, now: datetime) -> LogLine:
    line = read_line(text, service=service, source="", now=now)
    with suppress(BadInput):
        return replace(line, level=level_named(level)) if level else line
    return line


def _now() -> datetime:
    return datetime.now(UTC)


def _known(shape: SourcesShape) -> dict[str, Access]:
    return {one.name: one.access() for one in shape.metrics}


def _access(wanted: str, known: Mapping[str, Access]) -> Access:
    if wanted in known:
        return known[wanted]
    for access in known.values():
        if access.url.rstrip("/") == wanted.rstrip("/"):
            return access
    if "://" not in wanted:
        names = f" It knows {', '.join(known)}." if known else ""
        raise BadInput(
            f"{wanted[:80]!r} is no address and no source of the sources file.{names}",
            hint="Give http://HOST:PORT, or name it in the file of OPSMITH_SOURCES_FILE.",
        )
    return Access(url=wanted)


def _one(access: Access, describe: Describe, hear: Hear) -> PrometheusMetrics:
    return PrometheusMetrics(HttpWire(access), describe=describe, hear=hear)
