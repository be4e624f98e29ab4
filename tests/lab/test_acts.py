import json
from pathlib import Path

import pytest
from opsmith_lab.acts import Acts, NotAnAct
from opsmith_lab.layout import Lab, plan
from opsmith_lab.rollouts import Rollouts
from opsmith_lab.settings import NotASetting, applied, read
from opsmith_lab.supervisor import SERVICES, Supervisor


class Rehearsal(Supervisor):
    """A supervisor whose processes are only written down."""

    async def restart(self, name: str, version: str | None = None) -> None:
        if version is not None:
            self.versions[name] = version
        with (self.lab.data / "restarts").open("a") as file:
            file.write(f"{name}\n")


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return plan(tmp_path, seed=1, rps=5, scrape_s=5)


@pytest.fixture
def acts(lab: Lab) -> Acts:
    supervisor = Rehearsal(lab)
    return Acts(supervisor, Rollouts(supervisor))


def restarts(lab: Lab) -> list[str]:
    path = lab.data / "restarts"
    return path.read_text().split() if path.exists() else []


async def test_a_setting_is_put_out_once_and_taken_back_once(acts: Acts, lab: Lab) -> None:
    for _ in range(2):
        await acts.do("service:payments", "configure", {"pool_size": "4"})

    assert read(lab, "payments") == {"pool_size": 4}
    assert applied(SERVICES["payments"], read(lab, "payments")).pool_size == 4
    assert restarts(lab) == ["payments"]

    for _ in range(2):
        await acts.do("service:payments", "rollback-config", {})

    assert applied(SERVICES["payments"], read(lab, "payments")).pool_size == 16
    assert restarts(lab) == ["payments", "payments"]


async def test_a_rollback_goes_to_the_version_before_and_no_further(acts: Acts, lab: Lab) -> None:
    await acts.rollouts.deploy("cart", "1.9.0")

    told = [(await acts.do("service:cart", "rollback", {}))["did"] for _ in range(3)]

    assert acts.supervisor.versions["cart"] == "1.8.1"
    assert told == [
        "rolled back to 1.8.2",
        "rolled back to 1.8.1",
        "nothing: no version came before",
    ]
    changes = (lab.data / "changes.jsonl").read_text().splitlines()
    assert [json.loads(line)["kind"] for line in changes] == ["deploy"] * 3


async def test_a_version_that_was_taken_back_can_be_put_out_again_no_other(acts: Acts) -> None:
    await acts.do("service:cart", "rollback", {})

    told = [(await acts.do("service:cart", "deploy", {"version": "1.8.2"}))["did"] for _ in "ab"]

    assert told == ["deployed 1.8.2", "nothing: that version runs"]
    with pytest.raises(NotAnAct, match="number"):
        await acts.do("service:cart", "deploy", {"version": "9.9.9"})


async def test_an_edge_is_reconnected_once_for_what_was_seen(lab: Lab) -> None:
    told: list[str] = []

    def reconnect(edge: str) -> bool:
        told.append(edge)
        return True

    supervisor = Rehearsal(lab)
    acts = Acts(supervisor, Rollouts(supervisor), reconnect=reconnect)
    for _ in range(2):
        await acts.do("edge:cart->valkey", "restart", {"after": "0"})

    assert told == ["edge:cart->valkey"]
    assert acts.state("edge:cart->valkey")["restarts"] == 1


async def test_clearing_a_disk_leaves_the_journal(acts: Acts, lab: Lab) -> None:
    folder = lab.data / "volumes" / "payments"
    folder.mkdir(parents=True)
    (folder / "journal").write_text("kept")
    (folder / "debug.dump").write_text("rubbish")

    told = [(await acts.do("service:payments", "clear-disk", {}))["did"] for _ in range(2)]

    assert [path.name for path in folder.iterdir()] == ["journal"]
    assert told == ["freed 7 bytes", "nothing: only the journal is there"]


async def test_a_limit_holds_for_the_next_start_too(acts: Acts) -> None:
    await acts.do("service:cart", "limit", {"cores": "0.5"})

    assert acts.supervisor.quota("cart") == (0.5, SERVICES["cart"].memory_mb)


@pytest.mark.parametrize(
    ("entity", "action", "values"),
    [
        ("service:cart", "explode", {}),
        ("service:cart", "clear-disk", {}),
        ("service:../../etc", "restart", {}),
        ("cache:valkey", "rollback", {}),
        ("edge:cart->nowhere", "restart", {}),
        ("service:cart", "limit", {"cores": "nan"}),
        ("service:cart", "limit", {"cores": "1000"}),
        ("service:cart", "configure", {}),
    ],
)
async def test_what_makes_no_sense_is_refused(
    acts: Acts, entity: str, action: str, values: dict[str, object]
) -> None:
    with pytest.raises(NotAnAct, match=r"knows|number|setting"):
        await acts.do(entity, action, values)


@pytest.mark.parametrize("values", [{"pool_size": "0"}, {"pool_size": "x"}, {"colour": "1"}])
async def test_a_setting_that_makes_no_sense_is_refused(
    acts: Acts, values: dict[str, object]
) -> None:
    with pytest.raises(NotASetting, match=r"number|there are"):
        await acts.do("service:payments", "configure", values)
