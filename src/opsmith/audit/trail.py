"""Trail: the records that a plan and its steps left on the ledger, as a person reads them."""

from __future__ import annotations

from collections.abc import Iterable

from opsmith.audit.states import PLAN, to_act, to_dossier
from opsmith.nouns.plan import ActState, Mark, PlanState
from opsmith.nouns.record import Record


def marks(records: Iterable[Record]) -> tuple[Mark, ...]:
    """One mark a record of kind `plan` or `act`, of one plan, by rising seq.

    A plan's record tells only the notes that are new in it.
    """
    told, noted = list[Mark](), 0
    state: PlanState | ActState
    for record in records:
        entry = record.entry
        if entry.kind == PLAN:
            dossier = to_dossier(record)
            step, state, says = 0, dossier.state, " ".join(dossier.notes[noted:])
            noted = len(dossier.notes)
        else:
            act = to_act(record)
            step, state, says = act.number + 1, act.state, act.says
        told.append(
            Mark(
                seq=record.seq,
                digest=record.digest.hex(),
                at=entry.at,
                by=entry.principal,
                step=step,
                state=state,
                says=says,
            )
        )
    return tuple(told)
