"""A real D-Bus daemon with an emulated systemd on it: containers have no systemd to ask."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from dbus_fast import DBusError, PropertyAccess
from dbus_fast.aio import MessageBus
from dbus_fast.service import ServiceInterface, dbus_property, method, signal
from opsmith_lab.components import find

ROOT = "/org/freedesktop/systemd1"
CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><listen>unix:path={folder}/bus</listen><policy context="default">
<allow send_destination="*" eavesdrop="true"/><allow receive_sender="*" eavesdrop="true"/>
<allow own="*"/><allow user="*"/>
</policy></busconfig>"""


class Unit(ServiceInterface):
    """One unit. broken: it does not come up again."""

    def __init__(self) -> None:
        super().__init__("org.freedesktop.systemd1.Unit")
        self.starts = 1
        self.invocation = secrets.token_bytes(16)
        self.broken = False

    @dbus_property(access=PropertyAccess.READ)
    def LoadState(self) -> "s":  # noqa: F821, N802, UP037
        return "loaded"

    @dbus_property(access=PropertyAccess.READ)
    def ActiveState(self) -> "s":  # noqa: F821, N802, UP037
        return "failed" if self.broken else "active"

    @dbus_property(access=PropertyAccess.READ)
    def InvocationID(self) -> "ay":  # noqa: F821, N802, UP037
        return self.invocation


class Systemd(ServiceInterface):
    """The manager, as far as a restart asks it."""

    def __init__(self, unit: Unit) -> None:
        super().__init__("org.freedesktop.systemd1.Manager")
        self._unit = unit

    @method()
    def LoadUnit(self, name: "s") -> "o":  # noqa: F821, N802, UP037
        return self._path(name)

    @method()
    def Subscribe(self):  # noqa: ANN201, N802
        pass

    @method()
    def RestartUnit(self, name: "s", mode: "s") -> "o":  # noqa: F821, N802, UP037
        self._path(name)
        assert mode == "replace"
        self._unit.starts += 1
        self._unit.invocation = secrets.token_bytes(16)
        self.JobRemoved(name)
        return f"{ROOT}/job/{self._unit.starts}"

    @signal()
    def JobRemoved(self, name: "s") -> "uoss":  # noqa: F821, N802, UP037
        number = self._unit.starts
        return [number, f"{ROOT}/job/{number}", name, "failed" if self._unit.broken else "done"]

    def _path(self, name: str) -> str:
        if name != "cart.service":
            raise DBusError("org.freedesktop.systemd1.NoSuchUnit", f"Unit {name} not found.")
        return f"{ROOT}/unit/cart_2eservice"


@asynccontextmanager
async def systemd(folder: Path) -> AsyncIterator[tuple[str, Unit]]:
    """The address of the bus, and the unit `cart.service` on it."""
    (folder / "bus.conf").write_text(CONFIG.format(folder=folder))
    words = [str(find("dbus-daemon")), f"--config-file={folder}/bus.conf", "--nofork"]
    server = subprocess.Popen([*words, "--print-address=1"], stdout=subprocess.PIPE)
    assert server.stdout is not None
    address = server.stdout.readline().decode().strip()
    unit = Unit()
    bus = await MessageBus(bus_address=address).connect()
    try:
        bus.export(ROOT, Systemd(unit))
        bus.export(f"{ROOT}/unit/cart_2eservice", unit)
        await bus.request_name("org.freedesktop.systemd1")
        yield address, unit
    finally:
        bus.disconnect()
        server.terminate()
        server.wait(timeout=30)
        server.stdout.close()
