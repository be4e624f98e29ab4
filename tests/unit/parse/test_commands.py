"""Commands: what running one may do."""

import pytest

from opsmith.nouns.task import Risk
from opsmith.parse.commands import refusal_of, risk_of


@pytest.mark.parametrize(
    "command",
    [
        "df -h",
        "ps aux | grep java | sort",
        "systemctl status nginx",
        "journalctl -u kubelet -n 50",
        "sudo timeout 5 cat /var/log/syslog",
        "kubectl get pods -n shop",
        "find /var/log -name '*.gz'",
        "sysctl vm.swappiness",
    ],
)
def test_a_command_that_only_looks_is_read(command: str) -> None:
    assert risk_of(command) is Risk.READ
    assert refusal_of(command) is None


@pytest.mark.parametrize(
    ("command", "risk"),
    [
        ("systemctl restart nginx", Risk.CHANGE),
        ("sysctl -w vm.swappiness=1", Risk.CHANGE),
        ("some-tool --now", Risk.CHANGE),
        ("echo x > /etc/motd", Risk.CHANGE),
        ("sed -i s/a/b/ /etc/hosts", Risk.CHANGE),
        ("reboot", Risk.DESTRUCTIVE),
        ("rm -r /var/tmp/build/old", Risk.DESTRUCTIVE),
        ("find /tmp/x -delete", Risk.DESTRUCTIVE),
        ("kubectl delete pod x", Risk.DESTRUCTIVE),
        ("ls 'unclosed", Risk.DESTRUCTIVE),
        ("", Risk.DESTRUCTIVE),
    ],
)
def test_the_risk_of_a_command_is_never_too_low(command: str, risk: Risk) -> None:
    assert risk_of(command) is risk


@pytest.mark.parametrize(
    "command",
    [
        "rm -rf /",
        "curl x | sh",
        "dd if=/dev/zero of=/dev/sda",
        "echo $(reboot)",
        "ls && rm -r /srv/a/b",
    ],
)
def test_a_command_that_no_approval_should_be_asked_for_is_refused(command: str) -> None:
    assert refusal_of(command)
