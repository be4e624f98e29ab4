"""Faults in the live shop, found without a hand: `python bench/live.py [--faults a,b] [--seed N]`.

For each fault a lab of its own is started with opsmith beside it, left in peace for a while,
and broken; target, strength and load are drawn from the seed. The first verdict and the one
that stands when the fault ends are compared with what was injected. Needs an idle machine.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
from opsmith_lab import layout, running
from opsmith_lab.faults.fault import Fault, path_of
from opsmith_lab.faults.table import FAULTS
from opsmith_lab.shop.process import as_object, rows_of

PEACE_S = 35.0
# A leak needs half a minute to its first kill, and the alert a rate of 30 s and 10 s to be sure.
FAULT_S = 110.0
# A second look follows the first after 15 s.
SETTLED_S = 18.0
LOOK_EVERY_S = 0.25
RPS = (6.0, 14.0)
STRENGTH = (0.8, 1.6)
BARS = {"cause_p50_s": 1.0, "cause_p95_s": 2.0, "report_median_s": 30.0, "right": 9, "path": 8}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One fault as it was drawn."""

    fault: str
    entity: str
    strength: float
    rps: float
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one. Seconds are None when no verdict came.

    cause_s: from when Alertmanager's notification arrived to the cause on the ledger.
    report_s: from the injection to the report.
    healed: what came of the plan that the runbook made, empty when it was not asked for;
    healed_s: from the injection to the outcome.
    """

    case: Case
    found: str | None
    kind: str | None
    path: list[str]
    first: str | None
    entity_right: bool
    kind_right: bool
    path_right: bool
    cause_s: float | None
    report_s: float | None
    healed: str = ""
    healed_s: float | None = None


def cases(names: list[str], seed: int) -> Iterator[Case]:
    """One case a fault; the same seed gives the same ones, whatever else is asked for."""
    for name in names:
        rng = random.Random(f"{seed}:{name}")  # noqa: S311 - a draw of cases
        yield Case(
            fault=name,
            entity=rng.choice(FAULTS[name].targets),
            strength=round(rng.uniform(*STRENGTH), 2),
            rps=round(rng.uniform(*RPS), 1),
            seed=rng.randrange(1000),
        )


def kept(case: Case, late_s: float, folder: Path | None, *, heal: bool) -> Outcome:
    """Run one case after a while and keep what came of it."""
    time.sleep(late_s)
    with tempfile.TemporaryDirectory() as place:
        outcome = run(case, Path(place) / "lab", folder, heal=heal)
    line = json.dumps(asdict(outcome))
    print(line, file=sys.stderr, flush=True)
    if folder:
        with (folder / "outcomes.jsonl").open("a", encoding="utf-8") as file:
            file.write(line + "\n")
    return outcome


def run(case: Case, data: Path, folder: Path | None, *, heal: bool) -> Outcome:
    """Start a lab in `data`, break it, watch what opsmith says, and take it down.

    folder: where the bundles of the incidents are kept, None for nowhere.
    heal: approve and run the plan that the runbook made of the last verdict.
    """
    healed, healed_s = "", None
    lab = layout.watched(layout.plan(data, seed=case.seed, rps=case.rps, scrape_s=5.0))
    running.start(lab)
    try:
        time.sleep(PEACE_S)
        wish = {"name": case.fault, "target": case.entity, "strength": case.strength}
        running.ask(lab, "POST", "/faults", {**wish, "after_s": 0.0, "for_s": 600.0})
        began = datetime.now(UTC)
        seen = list(watched(lab, began))
        alarmed = heard(lab, began)
        if heal:
            healed = mended(lab)
            healed_s = (datetime.now(UTC) - began).total_seconds()
        if folder and seen:
            target = folder / f"{case.fault}-{case.seed}-{int(time.time())}"
            shutil.copytree(data / "opsmith" / "incidents", target)
    finally:
        running.stop(lab)
    return replace(judged(case, seen, alarmed, began), healed=healed, healed_s=healed_s)


def mended(lab: layout.Lab) -> str:
    """Approve and run the newest open plan; its state, or why there is none."""
    with httpx.Client(base_url=lab.url("opsmith"), timeout=400) as client:
        open_plans = [
            one for one in rows_of(client.get("/v1/plans").json()) if one["state"] == "proposed"
        ]
        if not open_plans:
            return "no plan"
        name = str(open_plans[0]["id"])
        client.post(f"/v1/plans/{name}/approve").raise_for_status()
        told = as_object(client.post(f"/v1/plans/{name}/run").json())
        return f"{told.get('state', 'denied')}: {str(told.get('says', told))[:200]}"


def watched(lab: layout.Lab, began: datetime) -> Iterator[dict[str, object]]:
    """Each new verdict since `began`, until there was time for a second look after the first."""
    deadline = time.monotonic() + FAULT_S
    last: object = None
    while time.monotonic() < deadline:
        with httpx.Client(base_url=lab.url("opsmith"), timeout=10) as client:
            incidents = rows_of(client.get("/v1/incidents").json())
        verdict = incidents[0].get("verdict") if incidents else None
        fresh = verdict and datetime.fromisoformat(str(as_object(verdict)["found_at"])) > began
        if fresh and verdict != last:
            if last is None:
                deadline = time.monotonic() + SETTLED_S
            last = verdict
            yield as_object(verdict)
        time.sleep(LOOK_EVERY_S)


def heard(lab: layout.Lab, began: datetime) -> datetime | None:
    """When the first notification since `began` arrived at the lab's own receiver."""
    try:
        lines = (lab.data / "webhooks.jsonl").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return None
    times = (datetime.fromisoformat(json.loads(line)["received_at"]) for line in lines)
    return min((at for at in times if at > began), default=None)


def judged(
    case: Case, seen: list[dict[str, object]], alarmed: datetime | None, began: datetime
) -> Outcome:
    """Compare the verdicts with the truth."""
    fault: Fault = FAULTS[case.fault]
    last = seen[-1] if seen else {}
    blame, first = (as_object(one.get("cause") or {}) for one in (last, seen[0] if seen else {}))
    told = [str(step) for step in last.get("path") or ()] if seen else []
    at = datetime.fromisoformat(str(seen[0]["found_at"])) if seen else None
    return Outcome(
        case=case,
        found=str(blame.get("entity")) if blame else None,
        kind=str(blame.get("kind")) if blame else None,
        path=told,
        first=f"{first.get('entity')} {first.get('kind')}" if first else None,
        entity_right=blame.get("entity") == case.entity,
        kind_right=blame.get("kind") == fault.kind,
        path_right=told == path_of(case.entity),
        cause_s=(at - alarmed).total_seconds() if at and alarmed else None,
        report_s=(at - began).total_seconds() if at else None,
    )


def summary(outcomes: list[Outcome]) -> dict[str, object]:
    """The figures that the bars speak of."""
    cause = sorted(one.cause_s for one in outcomes if one.cause_s is not None)
    report = [one.report_s for one in outcomes if one.report_s is not None]
    return {
        "faults": len(outcomes),
        "entity_and_kind_right": sum(one.entity_right and one.kind_right for one in outcomes),
        "path_right": sum(one.path_right for one in outcomes),
        "healed": sum(one.healed.startswith("done") for one in outcomes),
        "cause_p50_s": statistics.median(cause) if cause else None,
        "cause_p95_s": cause[min(len(cause) - 1, int(0.95 * len(cause)))] if cause else None,
        "report_median_s": statistics.median(report) if report else None,
        "bars": BARS,
    }


def main() -> None:
    """Run the faults and print what came of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", default=",".join(FAULTS), help="names, with commas between")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--labs", type=int, default=1, help="shops at the same time, staggered")
    parser.add_argument("--keep", type=Path, help="folder for each outcome and its bundle")
    parser.add_argument("--heal", action="store_true", help="approve and run the runbook's plan")
    parser.add_argument("-o", "--output", choices=["text", "json"], default="text")
    chosen = parser.parse_args()
    drawn = list(cases(chosen.faults.split(","), chosen.seed))
    with ThreadPoolExecutor(chosen.labs) as pool:
        late_s = [PEACE_S / chosen.labs * (number % chosen.labs) for number in range(len(drawn))]
        late_s[chosen.labs :] = [0.0] * len(late_s[chosen.labs :])
        outcomes = list(
            pool.map(
                lambda pair: kept(*pair, chosen.keep, heal=chosen.heal),
                zip(drawn, late_s, strict=True),
            )
        )
    if chosen.output == "json":
        result = {"summary": summary(outcomes), "faults": [asdict(one) for one in outcomes]}
        print(json.dumps(result, indent=2))
        return
    for outcome in outcomes:
        right = outcome.entity_right and outcome.kind_right
        print(
            f"{outcome.case.fault:18} {'right' if right else 'wrong'}  {outcome.found}"
            f" {outcome.kind}  {outcome.report_s}  {outcome.healed}"
        )
    print(summary(outcomes))


if __name__ == "__main__":
    main()
