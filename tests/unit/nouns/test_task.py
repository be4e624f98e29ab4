"""Tasks: their order is a real order, their risk the highest one."""

import pytest

from opsmith.errors import BadInput
from opsmith.nouns.task import Clarify, Risk, Task, Understood


def test_the_risk_of_several_tasks_is_the_highest() -> None:
    tasks = (
        Task(intent="a"),
        Task(intent="b", risk=Risk.DESTRUCTIVE),
        Task(intent="c", risk=Risk.CHANGE),
    )

    assert Understood(tasks=tasks).risk is Risk.DESTRUCTIVE
    assert Clarify(question="?", missing=("x",)).risk is Risk.READ


@pytest.mark.parametrize("needs", [((0,),), ((1,), (0,)), ((5,),), ((-1,),)])
def test_a_circle_or_a_missing_task_cannot_be_depended_on(
    needs: tuple[tuple[int, ...], ...],
) -> None:
    with pytest.raises(BadInput):
        Understood(tasks=tuple(Task(intent="a", depends_on=one) for one in needs))


def test_the_slots_of_a_task_cannot_be_changed() -> None:
    given = {"service": "cart"}
    task = Task(intent="a", slots=given)
    given["service"] = "other"

    assert task.slots["service"] == "cart"
    with pytest.raises(TypeError):
        task.slots["service"] = "x"  # type: ignore[index]
