"""Commands on hosts, from their rehearsal to their undo, over real SSH servers."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from promises.real_sshd import ssh_hosts

from opsmith.backends.reach.ssh import SshHost, SshReach, SshUnit
from opsmith.backends.reach.ssh_commands import Command, Slot
from opsmith.errors import BadAnswer, BadInput, Unreachable
from opsmith.execute.action import Action
from opsmith.execute.actions import BUILT_IN
from opsmith.execute.registry import Registry
from opsmith.nouns.entity import Entity
from opsmith.nouns.plan import Order, Value
from opsmith.testing.acting import OneWay

pytestmark = pytest.mark.needs_ssh
WEB = Entity.parse("host:web")
HOSTS = [Entity.parse(f"host:web-{n}") for n in range(1, 4)]
# The emulated systemd of a host: a file is the unit, its content the invocation.
SYSTEMCTL = """#!/bin/sh
case "$1" in
  show) printf 'ActiveState=active\\nInvocationID=%s\\n' "$(cat {folder}/unit)" ;;
  restart) [ "$2 $3" = "-- cart.service" ] && echo new > {folder}/unit ;;
esac
"""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, list[SshHost]]]:
    folder = tmp_path_factory.mktemp("ssh")
    programs = folder / "bin"
    programs.mkdir()
    (programs / "systemctl").write_text(SYSTEMCTL.format(folder=folder))
    (programs / "systemctl").chmod(0o755)
    (folder / "unit").write_text("old")
    with ssh_hosts(folder, 3, programs) as hosts:
        yield folder, hosts


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A folder that the hosts write in: it is the world that commands change."""
    yield tmp_path
    shutil.rmtree(tmp_path)


def reach(servers: tuple[Path, list[SshHost]], place: Path) -> SshReach:
    any_text = {"name": Slot(pattern=".*")}
    commands = {
        "echo": Command(argv=("echo", "{name}"), slots=any_text, changes=False),
        "make": Command(
            argv=("mkdir", f"{place}/{{name}}"),
            slots=any_text,
            look=("ls", str(place)),
            check=("test", "-d", f"{place}/{{name}}"),
            undo=("rm", "-rf", "--", f"{place}/{{name}}"),
        ),
        "flood": Command(argv=("head", "-c", "300000", "/dev/zero"), changes=False),
        "fail": Command(argv=("false",)),
        "wait": Command(argv=("sleep", "60")),
    }
    return SshReach(
        dict(zip(HOSTS, servers[1], strict=True)),
        commands=commands,
        groups={WEB: HOSTS},
        units={Entity.service("cart"): SshUnit(host=HOSTS[0], unit="cart.service")},
    )


def of(name: str, target: Entity, **values: Value) -> tuple[Action, Order]:
    order = Order(action=name, target=target, values=values)
    return Registry(BUILT_IN).checked(order), order


async def test_a_command_is_run_checked_and_undone(
    servers: tuple[Path, list[SshHost]], place: Path
) -> None:
    world = OneWay(way=reach(servers, place))
    action, order = of("ssh.change", HOSTS[0], command="make", values=("name=a b",))

    preview = await action.dry_run(order, world)
    await action.apply(order, preview, world)

    assert (place / "a b").is_dir()
    assert (await action.verify(order, preview, world)).holds
    assert (await action.dry_run(order, world)).version != preview.version
    await action.undo(order, preview, world)
    assert not (place / "a b").exists()
    assert not (await action.verify(order, preview, world)).holds
    assert f"mkdir '{place}/a b'" in preview.says


async def test_a_group_is_its_hosts_each_with_an_outcome(
    servers: tuple[Path, list[SshHost]], place: Path
) -> None:
    world = OneWay(way=reach(servers, place))
    action, order = of("ssh.read", WEB, command="echo", values=("name=hello",), at_once=2)

    preview = await action.dry_run(order, world)
    says = await action.apply(order, preview, world)

    assert preview.members == tuple(HOSTS)
    assert says == "; ".join(f"{host} ended with 0 (hello)" for host in HOSTS)


async def test_no_batch_follows_one_in_which_a_host_failed(
    servers: tuple[Path, list[SshHost]], place: Path
) -> None:
    world = OneWay(way=reach(servers, place))
    action, order = of("ssh.run", WEB, command="fail", at_once=2)

    with pytest.raises(BadAnswer, match="web-2 ended with 1; not tried: host:web-3"):
        await action.apply(order, await action.dry_run(order, world), world)


async def test_a_host_of_an_unknown_key_is_not_trusted(
    servers: tuple[Path, list[SshHost]], place: Path, tmp_path: Path
) -> None:
    folder, hosts = servers
    other = tmp_path / "known"
    other.write_text(f"[127.0.0.1]:{hosts[0].port} {(folder / 'user.pub').read_text()}")
    lying = reach((folder, [replace(hosts[0], known_hosts=other), *hosts[1:]]), place)
    empty = tmp_path / "empty"
    empty.write_text("")
    fresh = reach((folder, [replace(hosts[0], known_hosts=empty), *hosts[1:]]), place)
    values = {"command": "make", "values": ("name=x",)}

    for one in (lying, fresh):
        reply = await one.send(HOSTS[0], "ssh.run", values, deadline_s=20)
        assert "is not the one in" in reply.says
        assert reply.facts["failed"] == (str(HOSTS[0]),)
    assert not (place / "x").exists()


async def test_a_command_over_its_deadline_and_a_flood_are_cut(
    servers: tuple[Path, list[SshHost]], place: Path
) -> None:
    world = reach(servers, place)

    with pytest.raises(Unreachable, match=r"longer than 0\.5 s"):
        await world.send(HOSTS[0], "ssh.run", {"command": "wait"}, deadline_s=0.5)
    reply = await world.send(HOSTS[0], "ssh.read", {"command": "flood"}, deadline_s=20)

    assert len(reply.says) < 1000


async def test_a_unit_is_restarted_once(servers: tuple[Path, list[SshHost]], place: Path) -> None:
    world = OneWay(way=reach(servers, place))
    action, order = of("service.restart", Entity.service("cart"))

    preview = await action.dry_run(order, world)
    assert not (await action.verify(order, preview, world)).holds
    says = await action.apply(order, preview, world)

    assert says == "restarted cart.service on host:web-1"
    assert (await action.verify(order, preview, world)).holds
    assert await action.apply(order, preview, world) == "cart.service was restarted already"


@pytest.mark.parametrize(
    ("name", "values", "says"),
    [
        ("ssh.read", {"command": "make", "values": ("name=x",)}, "changes something"),
        ("ssh.change", {"command": "fail"}, "has no undo"),
        ("ssh.run", {"command": "none"}, "no command 'none'"),
        ("ssh.run", {"command": "make"}, "lacks name"),
        ("ssh.run", {"command": "fail", "values": ("x=1",)}, "takes no values"),
    ],
)
async def test_an_order_that_fits_no_command_is_refused(
    name: str,
    values: dict[str, Value],
    says: str,
    servers: tuple[Path, list[SshHost]],
    place: Path,
) -> None:
    action, order = of(name, HOSTS[0], **values)

    with pytest.raises(BadInput, match=says):
        await action.dry_run(order, OneWay(way=reach(servers, place)))


PAYLOADS = [
    "; touch {canary}",
    "$(touch {canary})",
    "`touch {canary}`",
    "' ; touch {canary} ; '",
    '" && touch {canary} && "',
    "x | touch {canary}",
    "x > {canary}",
    "\\'; touch {canary} #",
    "${{IFS}}touch${{IFS}}{canary}",
    "x & touch {canary} &",
    "（；touch {canary}）",
    "{{name}}; touch {canary}",
]


@pytest.mark.parametrize("payload", PAYLOADS)
async def test_no_value_is_executed_by_the_shell_of_a_host(
    payload: str, servers: tuple[Path, list[SshHost]], place: Path
) -> None:
    canary = place / "canary"
    text = payload.format(canary=canary)
    world = OneWay(way=reach(servers, place))
    action, order = of("ssh.read", HOSTS[0], command="echo", values=(f"name={text}",))

    says = await action.apply(order, await action.dry_run(order, world), world)

    assert not canary.exists()
    assert says == f"{HOSTS[0]} ended with 0 ({' '.join(text.split())})"
