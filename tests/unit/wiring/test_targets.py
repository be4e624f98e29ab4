"""The targets file becomes ways, or is refused with the place of what is wrong."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from opsmith.errors import BadInput, MissingExtra
from opsmith.nouns.entity import Entity
from opsmith.settings import Settings
from opsmith.wiring.reaches import reaches
from opsmith.wiring.targets import read

WHOLE = """
alertmanager: {url: "http://127.0.0.1:9093"}
targets:
  - target: service:checkout
    alerts: {match: {service: checkout}}
    systemd: {unit: checkout.service, host: "host:web-1", sudo: true}
    container: {name: checkout-1}
  - target: host:me
    engine: unix:///run/podman.sock
  - target: cache:redis
    systemd: {unit: redis.service}
  - target: host:web-1
    ssh: {address: 10.0.0.1, user: ops, key_file: /k, known_hosts: /h}
  - target: host:web
    hosts: ["host:web-1"]
  - target: service:cart
    kubernetes: {cluster: prod, namespace: shop, workload: deployment/cart, manifest: /srv/c.yaml}
  - target: host:node-1
    kubernetes: {cluster: prod, node: ip-10-0-0-1.internal}
kubernetes:
  - {name: prod, kubeconfig: /etc/kubeconfig, context: prod}
commands:
  level:
    argv: [set-level, "{level}"]
    values: {level: {choices: [info, debug]}}
"""
CLUSTER = "kubernetes: [{name: a}]\ntargets: [{target: service:a, kubernetes: "
CARRIED = [
    ("service:checkout", "alert.silence"),
    ("service:checkout", "service.restart"),
    ("service:checkout", "service.limit"),
    ("service:checkout", "container.logs"),
    ("host:me", "container.list"),
    ("cache:redis", "service.restart"),
    ("host:web-1", "ssh.run"),
    ("host:web", "ssh.read"),
    ("service:cart", "kubernetes.scale"),
    ("service:cart", "traffic.shift"),
    ("host:node-1", "kubernetes.drain"),
]


def opened(text: str, folder: Path) -> list[tuple[str, str]]:
    """What of `CARRIED` the ways of this file carry."""
    file = folder / "targets.yaml"
    file.write_text(text)
    settings = Settings(data_dir=folder, targets_file=file)
    ways = reaches(settings, clock=lambda: datetime.now(UTC))
    return [
        (name, verb)
        for name, verb in CARRIED
        if any(way.carries(Entity.parse(name), verb) for way in ways)
    ]


def test_every_part_of_the_file_becomes_a_way(tmp_path: Path) -> None:
    assert opened(WHOLE, tmp_path) == CARRIED
    assert opened("targets: []", tmp_path) == []


@pytest.mark.parametrize(
    ("module", "extra"),
    [
        ("ssh", "ssh"),
        ("containers", "containers"),
        ("systemd", "systemd"),
        ("kubernetes", "kubernetes"),
    ],
)
def test_a_way_without_its_extra_says_what_to_install(
    module: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    libraries = {"ssh": "asyncssh", "containers": "docker", "systemd": "dbus_fast"}
    monkeypatch.setitem(sys.modules, libraries.get(module, module), None)
    for name in [one for one in sys.modules if one.startswith(f"opsmith.backends.reach.{module}")]:
        monkeypatch.delitem(sys.modules, name)

    with pytest.raises(MissingExtra, match=rf"pip install 'opsmith\[{extra}\]'"):
        opened(WHOLE, tmp_path)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("targets: [{target: service:a, hosts: ['host:b']}]", "no target with `ssh`"),
        ("targets: [{target: service:a}, {target: service:a}]", "twice"),
        ("targets: [{target: service:a, config: {file: etc, format: env}}]", "absolute path"),
        ("targets: [{target: service:a, nonsense: 1}]", "Extra inputs"),
        ("commands: {c: {argv: [ls, '{x}']}}", "no value is named x"),
        ("commands: {c: {argv: 'rm -rf /'}}", "valid tuple"),
        ("commands: {c: {argv: [ls], values: {x: {}}}}", "a value has a pattern"),
        ("commands: {c: {argv: [ls], values: {x: {pattern: '('}}}}", "no pattern"),
        ("alertmanager: {url: 'ftp://x'}", "alertmanager.url"),
        ("kubernetes: [{name: a}, {name: a}]", "one cluster stands there twice"),
        ("kubernetes: [{name: a, namespaces: ['../x']}]", "kubernetes.0.namespaces.0"),
        (f"{CLUSTER}{{cluster: b, node: n}}}}]", "service:a: no cluster is named b"),
        (f"{CLUSTER}{{cluster: a}}}}]", "a node, or a workload"),
        (f"{CLUSTER}{{cluster: a, workload: deployment/x}}}}]", "a workload is in a namespace"),
        (f"{CLUSTER}{{cluster: a, namespace: s, workload: pod/x}}}}]", "kubernetes.workload"),
    ],
)
def test_a_wrong_file_says_where(wrong: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "targets.yaml").write_text(wrong)

    with pytest.raises(BadInput, match=says):
        read(tmp_path / "targets.yaml")
