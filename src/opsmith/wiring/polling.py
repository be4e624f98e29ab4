"""What the live house asks again and again: logs, changes, who calls whom."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from opsmith.backends.state.files import FileStates
from opsmith.flows.follow_logs import Follower
from opsmith.flows.gather_changes import Gatherer
from opsmith.seams.ledger import Ledger
from opsmith.seams.metrics import Metrics
from opsmith.settings import Settings
from opsmith.wiring.looks import now
from opsmith.wiring.sources import open_changes, open_logs
from opsmith.wiring.topology import keeper
from opsmith.wiring.troubles import Troubles

LOGS_EVERY_S = 2.0
CHANGES_EVERY_S = 15.0
TOPOLOGY_EVERY_S = 60.0


class Pollers:
    """The sources of the sources file that are polled. take_logs: is given new records."""

    def __init__(
        self,
        settings: Settings,
        *,
        ledger: Ledger,
        metrics: Metrics | None,
        take_logs: Callable[[Mapping[str, object]], None],
    ) -> None:
        store = FileStates(settings.data_dir / "sources")
        self._logs = open_logs(settings)
        self._followers = {
            name: Follower(name, logs, store=store, take=take_logs)
            for name, logs in self._logs.items()
        }
        self._gatherers = {
            name: Gatherer(name, source, ledger=ledger, clock=now)
            for name, source in open_changes(settings).items()
        }

        self.topology = keeper(settings, metrics)

    def start(self, troubles: Troubles) -> None:
        """Begin to poll; what fails is noted under the source's name."""
        for name, follower in self._followers.items():
            troubles.keep_doing(f"logs {name}", follower.step, every_s=LOGS_EVERY_S)
        for name, gatherer in self._gatherers.items():
            troubles.keep_doing(f"changes {name}", gatherer.step, every_s=CHANGES_EVERY_S)
        troubles.keep_doing("topology", self.topology.step, every_s=TOPOLOGY_EVERY_S)

    async def close(self) -> None:
        """Let go of all sources."""
        for logs in self._logs.values():
            await logs.aclose()
