"""Kinds: each sort of fault by the evidence that it leaves."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from small_systems import (
    ALARM_S,
    CART,
    FRONT,
    GRID,
    STOCK,
    Book,
    alarm,
    call,
    line,
    moment,
    recording,
    requests,
)

from opsmith.localise.diagnose import measure
from opsmith.localise.kinds import kind_of
from opsmith.localise.restarts import starts, unasked_starts
from opsmith.localise.scene import read_scene
from opsmith.nouns.cause import CauseKind
from opsmith.nouns.diagnosis import Channel
from opsmith.nouns.entity import Entity
from opsmith.nouns.recording import Recording
from opsmith.nouns.series import Aspect, MetricKind, Series, Unit
from opsmith.nouns.signals import Change, ChangeKind, SpanSide


def kind(case: Recording, entity: Entity = CART) -> CauseKind:
    scene = read_scene(case)
    return kind_of(scene, measure(scene), entity)


def failing(
    *, error_line: bool = False, attributes: dict[str, str] | None = None
) -> Callable[[Book, float, bool], None]:
    def write(book: Book, at_s: float, ill: bool) -> None:  # noqa: FBT001 - as requests calls
        root = book.span(FRONT, "GET /", at_s, 0.1, failed=ill)
        cart = call(book, root, CART, at_s, failed=ill)
        book.log(cart, "INFO in", at_s + 0.001)
        if ill and error_line:
            book.log(cart, "ERROR boom", at_s + 0.002, severity=17)
        book.span(
            CART,
            "SELECT",
            at_s + 0.003,
            0.001,
            parent=cart,
            failed=ill,
            side=SpanSide.CLIENT,
            attributes=attributes if ill else None,
        )

    return write


def traced(write: Callable[[Book, float, bool], None], **parts: object) -> Recording:
    book = requests(write)
    return recording(spans=book.spans(), logs=book.logs(), **parts)


def changed(what: ChangeKind) -> tuple[Change, ...]:
    return (Change(at=moment(ALARM_S - 20.0), entity=CART, kind=what, summary="x"),)


def shaped(one: Series, values: np.ndarray) -> Series:
    return replace(one, values=values)


def leak() -> Series:
    """Memory that climbs by little steps from the alarm on."""
    climb = np.maximum(GRID - ALARM_S, 0.0) * 2.0**20
    return shaped(line(CART, Aspect.MEMORY, 1.0, 1.0), 50.0 * 2**20 + climb)


def jump() -> Series:
    return line(CART, Aspect.MEMORY, 50.0 * 2**20, 150.0 * 2**20, wobble=0.0)


def restarts() -> Series:
    values = np.maximum(np.floor((GRID - ALARM_S) / 20.0), 0.0)
    return shaped(line(CART, Aspect.RESTARTS, 0.0, 0.0, unit=Unit.COUNT), values)


def slow_edge(book: Book, at_s: float, ill: bool) -> None:  # noqa: FBT001 - as requests calls
    root = book.span(FRONT, "GET /", at_s, 0.1)
    served = call(book, root, CART, at_s, gap_s=0.5 if ill else 0.001)
    call(book, served, STOCK, at_s)


def early(book: Book, at_s: float, ill: bool) -> None:  # noqa: FBT001 - as requests calls
    root = book.span(FRONT, "GET /", at_s, 0.1)
    served = call(book, root, CART, at_s)
    if not ill:
        call(book, served, STOCK, at_s)


def cut(book: Book, at_s: float, ill: bool) -> None:  # noqa: FBT001 - as requests calls
    root = book.span(FRONT, "GET /", at_s, 0.1)
    book.span(
        FRONT,
        "call cart",
        at_s,
        0.01,
        parent=root,
        failed=ill,
        side=SpanSide.CLIENT,
        attributes={"callee": "service:cart"},
    )


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (recording(series=(line(CART, Aspect.CPU, 0.1, 0.95),)), CauseKind.CPU_SATURATED),
        (recording(series=(leak(),)), CauseKind.MEMORY_LEAK),
        (recording(series=(leak(), restarts())), CauseKind.MEMORY_LEAK),
        (recording(series=(jump(), restarts())), CauseKind.MEMORY_OOM),
        (recording(series=(restarts(),)), CauseKind.CRASH_LOOP),
        (recording(series=(line(CART, Aspect.DISK, 0.5, 0.99),)), CauseKind.DISK_FULL),
        (recording(series=(line(CART, Aspect.TRAFFIC, 10.0, 90.0),)), CauseKind.TRAFFIC_SURGE),
        (
            recording(series=(line(CART, Aspect.CACHE, 10.0, 90.0, name="cache_misses"),)),
            CauseKind.CACHE_STAMPEDE,
        ),
        (recording(series=(line(CART, Aspect.CPU, 0.1, 0.1),)), CauseKind.UNKNOWN),
        (recording(), CauseKind.UNKNOWN),
        (traced(failing(attributes={"db.pool.exhausted": "true"})), CauseKind.POOL_EXHAUSTED),
        (traced(failing(error_line=True)), CauseKind.CODE_EXCEPTION),
        (
            traced(failing(error_line=True), changes=changed(ChangeKind.DEPLOY)),
            CauseKind.DEPLOY_BAD,
        ),
        (
            recording(
                series=(line(CART, Aspect.CPU, 0.1, 0.95),), changes=changed(ChangeKind.DEPLOY)
            ),
            CauseKind.DEPLOY_BAD,
        ),
        (
            traced(failing(error_line=True), changes=changed(ChangeKind.CONFIG)),
            CauseKind.CONFIG_BAD,
        ),
        (traced(early), CauseKind.CODE_EARLY_RETURN),
        (traced(slow_edge, candidates=(FRONT, CART, STOCK)), CauseKind.DEPENDENCY_SLOW),
    ],
    ids=lambda value: str(value) if isinstance(value, CauseKind) else "",
)
def test_each_sort_of_fault_is_called_by_its_code(case: Recording, expected: CauseKind) -> None:
    assert kind(case) is expected


def test_a_slow_edge_is_a_slow_dependency_and_a_cut_one_resets() -> None:
    edge = Entity.edge("front", "cart")

    assert kind(traced(slow_edge), edge) is CauseKind.DEPENDENCY_SLOW
    assert kind(traced(cut), edge) is CauseKind.NETWORK_RESETS
    assert kind(recording(), edge) is CauseKind.UNKNOWN


def test_a_change_to_somebody_else_argues_for_nothing() -> None:
    mine = traced(failing(error_line=True), changes=changed(ChangeKind.DEPLOY))
    theirs = replace(mine, changes=tuple(replace(one, entity=STOCK) for one in mine.changes))

    assert kind(theirs) is CauseKind.CODE_EXCEPTION


def test_an_alert_alone_argues_for_no_kind() -> None:
    assert kind(recording(alerts=(alarm(CART),))) is CauseKind.UNKNOWN


def test_a_steady_climb_needs_no_window_but_samples() -> None:
    short = leak()
    short = replace(short, times_s=short.times_s[-3:], values=short.values[-3:])

    assert kind(recording(series=(short,), window=None)) is CauseKind.UNKNOWN


def counter(name: str, before: float, after: float, *labels: tuple[str, str]) -> Series:
    return line(
        CART, Aspect.CACHE, before, after, name=name, kind=MetricKind.COUNTER, labels=labels
    )


@pytest.mark.parametrize("in_name", [True, False])
def test_a_cache_whose_readers_mostly_miss_is_stampeded_whatever_the_load(in_name: bool) -> None:  # noqa: FBT001 - as parametrised
    def lookups(result: str, before: float, after: float) -> Series:
        if in_name:
            return counter(f"keyspace_{result}_total", before, after)
        return counter("cache_lookups_total", before, after, ("result", result))

    lost = (lookups("hits", 30.0, 1.0), lookups("misses", 2.0, 25.0))
    busier = (lookups("hits", 30.0, 300.0), lookups("misses", 2.0, 20.0))

    assert kind(recording(series=lost)) is CauseKind.CACHE_STAMPEDE
    assert kind(recording(series=busier)) is not CauseKind.CACHE_STAMPEDE


@pytest.mark.parametrize(
    ("name", "partner", "before", "after"),
    [
        ("container_fs_usage_bytes", "container_fs_limit_bytes", 2.0, 98.0),
        ("node_filesystem_avail_bytes", "node_filesystem_size_bytes", 90.0, 1.0),
    ],
)
def test_a_disk_is_full_by_its_use_or_by_what_is_left(
    name: str, partner: str, before: float, after: float
) -> None:
    mb = 2.0**20

    def disk(which: str, low: float, high: float) -> Series:
        unit = Unit.BYTES
        return line(CART, Aspect.DISK, low * mb, high * mb, name=which, unit=unit, wobble=0.0)

    size = disk(partner, 100.0, 100.0)

    assert kind(traced_with(disk(name, before, after), size)) is CauseKind.DISK_FULL
    assert kind(traced_with(disk(name, 60.0, 55.0), size)) is CauseKind.CODE_EXCEPTION


def traced_with(*series: Series) -> Recording:
    return traced(failing(error_line=True), series=series)


def test_a_full_pool_beside_a_lost_cache_is_the_caches_doing() -> None:
    full = failing(attributes={"db.pool.exhausted": "true"})
    lost = (counter("keyspace_hits_total", 30.0, 1.0), counter("keyspace_misses_total", 2.0, 25.0))

    assert kind(traced(full, series=lost)) is CauseKind.CACHE_STAMPEDE


def test_a_full_pool_after_a_changed_setting_is_the_settings_fault() -> None:
    full = failing(attributes={"db.pool.exhausted": "true"})

    assert kind(traced(full, changes=changed(ChangeKind.CONFIG))) is CauseKind.CONFIG_BAD


def storm(book: Book, at_s: float, ill: bool) -> None:  # noqa: FBT001 - as requests calls
    """A caller that gives up soon and calls again, while the callee works on."""
    root = book.span(FRONT, "GET /", at_s, 0.1, failed=ill)
    served = call(book, root, CART, at_s, failed=ill)
    for attempt in range(8 if ill else 1):
        start_s = at_s + 0.002 + 0.002 * attempt
        out = book.span(
            CART,
            "call stock",
            start_s,
            0.001 if ill else 0.02,
            parent=served,
            failed=ill,
            side=SpanSide.CLIENT,
            attributes={"callee": "service:stock"},
        )
        book.span(STOCK, "reserve", start_s + 0.0005, 0.018, parent=out)


def test_a_caller_that_repeats_what_it_does_not_wait_for_storms() -> None:
    case = traced(storm)
    scene = read_scene(case)
    findings = measure(scene)
    errors = next(one for one in findings if one.channel is Channel.ERRORS)

    assert kind_of(scene, findings, CART) is CauseKind.RETRY_STORM
    assert kind_of(scene, findings, Entity.edge("cart", "stock")) is CauseKind.RETRY_STORM
    assert errors.strength[CART] > errors.strength.get(Entity.edge("cart", "stock"), 0.0)


def test_a_callee_that_was_not_there_answers_for_the_calls_that_failed() -> None:
    edge = Entity.edge("front", "cart")

    def strength(case: Recording) -> tuple[float, float]:
        found = next(one for one in measure(read_scene(case)) if one.channel is Channel.ERRORS)
        return found.strength[CART], found.strength[edge]

    theirs, between = strength(traced(cut, series=(restarts(),)))
    alone_theirs, alone_between = strength(traced(cut))

    assert theirs > between
    assert alone_theirs < alone_between
    assert kind(traced(cut, series=(restarts(),))) is CauseKind.CRASH_LOOP


def test_a_service_that_its_memory_limit_kills_does_not_crash_by_itself() -> None:
    kills = replace(counter("container_oom_events_total", 0.0, 0.2), aspect=Aspect.RESTARTS)

    assert kind(traced(cut, series=(restarts(), leak(), kills))) is CauseKind.MEMORY_LEAK


def test_a_kill_at_the_memory_limit_tells_a_leak_that_had_begun_before() -> None:
    kills = replace(counter("container_oom_events_total", 0.0, 0.2), aspect=Aspect.RESTARTS)
    swings = np.where(np.arange(len(GRID)) % 7 == 0, 60.0 * 2**20, 0.0)  # memory is no surprise
    climbing = replace(leak(), values=leak().values + np.where(GRID < ALARM_S, swings, 0.0))

    assert kind(recording(series=(climbing, kills))) is CauseKind.MEMORY_LEAK
    assert kind(recording(series=(climbing,))) is not CauseKind.MEMORY_LEAK


def test_a_processor_that_is_not_near_what_is_granted_is_not_saturated() -> None:
    def using(cores: float) -> Recording:
        used = line(CART, Aspect.CPU, 0.01, cores, unit=Unit.SECONDS)
        granted = line(CART, Aspect.CPU, 0.3, 0.3, name="cpu_quota_cores", unit=Unit.COUNT)
        return recording(series=(used, granted))

    assert kind(using(0.29)) is CauseKind.CPU_SATURATED
    assert kind(using(0.12)) is CauseKind.UNKNOWN


def test_starts_that_rollouts_explain_are_no_loop() -> None:
    def rolled_out(count: int) -> Recording:
        changes = tuple(
            Change(
                at=moment(ALARM_S + 20.0 * n), entity=CART, kind=ChangeKind.DEPLOY, summary="out"
            )
            for n in range(count)
        )
        return recording(series=(restarts(),), changes=changes)

    many = starts(read_scene(rolled_out(0)), CART)
    assert kind(rolled_out(0)) is CauseKind.CRASH_LOOP
    assert unasked_starts(read_scene(rolled_out(1)), CART) == many - 1
    assert unasked_starts(read_scene(rolled_out(many)), CART) == 0
    assert kind(rolled_out(many)) is not CauseKind.CRASH_LOOP
