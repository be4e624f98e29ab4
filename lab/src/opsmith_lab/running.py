"""A running lab, seen from outside: start it, ask it, stop it and leave nothing."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import httpx
import orjson
import psutil

from opsmith_lab import components
from opsmith_lab.layout import Lab
from opsmith_lab.shop.process import as_object
from opsmith_lab.supervisor import created_s

START_WITHIN_S = 90.0
STOP_WITHIN_S = 30.0
LOOK_EVERY_S = 0.2


class LabError(Exception):
    """The lab cannot do what was asked; the message says what to do."""


class NoLab(LabError):
    """No lab answers."""


def start(lab: Lab) -> dict[str, object]:
    """Bring up a lab that was planned and wait until it serves. Raises `LabError`."""
    for name in ("prometheus", "alertmanager"):
        try:
            components.find(name)
        except components.ComponentMissing as error:
            raise LabError(str(error)) from error
    _claim(lab.data)
    lab.save()
    with (lab.data / "output" / "supervisor.txt").open("ab") as output:
        daemon = subprocess.Popen(
            [sys.executable, "-m", "opsmith_lab.control", str(lab.data)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=lab.data,
            start_new_session=True,
        )
    _remember_daemon(lab, daemon.pid)
    try:
        return _wait_until_ready(lab, daemon)
    except BaseException:
        _end_processes(lab)
        shutil.rmtree(lab.data, ignore_errors=True)
        raise


def find(data: Path) -> Lab:
    """The lab that runs in a folder. Raises `NoLab`."""
    try:
        lab = Lab.load(data)
    except FileNotFoundError:
        raise NoLab(f"no lab runs in {data}: start one with `opsmith lab up`.") from None
    except (KeyError, TypeError, ValueError) as error:
        raise LabError(f"{data / 'lab.json'} cannot be read ({error}).") from error
    return lab


def status(lab: Lab) -> dict[str, object]:
    """What the supervisor says of every process. Raises `NoLab`."""
    return ask(lab, "GET", "/status")


def ask(lab: Lab, method: str, path: str, body: object = None) -> dict[str, object]:
    """One request to the supervisor. Raises `NoLab` when it is gone, `LabError` on a refusal."""
    try:
        answer = httpx.request(
            method,
            lab.url("supervisor") + path,
            json=body,
            headers={"x-lab-token": lab.token},
            timeout=20,
        )
    except httpx.HTTPError as error:
        raise NoLab(
            f"the lab in {lab.data} does not answer ({type(error).__name__});"
            " `opsmith lab down` clears it away."
        ) from error
    content = as_object(answer.json())
    if answer.is_error:
        raise LabError(str(content.get("error", f"the lab answered {answer.status_code}")))
    return content


def stop(lab: Lab) -> None:
    """End every process of the lab and remove its folder."""
    with suppress(LabError):
        ask(lab, "POST", "/stop")
        _wait_until_gone(lab)
    _end_processes(lab)
    shutil.rmtree(lab.data, ignore_errors=True)


def _claim(data: Path) -> None:
    if (data / "lab.json").exists():
        raise LabError(f"a lab is in {data} already: `opsmith lab down` first.")
    if data.exists() and any(data.iterdir()):
        raise LabError(f"{data} is not empty; name a folder that the lab may make and remove.")
    for folder in ("spool", "faults", "output"):
        (data / folder).mkdir(parents=True, mode=0o700)


def _remember_daemon(lab: Lab, pid: int) -> None:
    (lab.data / "daemon.json").write_bytes(
        orjson.dumps({"supervisor": {"pid": pid, "created_s": created_s(pid)}})
    )


def _wait_until_ready(lab: Lab, daemon: subprocess.Popen[bytes]) -> dict[str, object]:
    deadline = time.monotonic() + START_WITHIN_S
    while time.monotonic() < deadline and daemon.poll() is None:
        with suppress(NoLab):
            state = status(lab)
            if state["ready"]:
                return state
        time.sleep(LOOK_EVERY_S)
    raise LabError(f"the lab did not start: {_why(lab.data)}")


def _why(data: Path) -> str:
    for name in ("failed.txt", "output/supervisor.txt"):
        with suppress(OSError):
            text = (data / name).read_text(errors="replace").strip()
            if text:
                return text[-600:]
    return f"it was not ready within {START_WITHIN_S:.0f} s."


def _wait_until_gone(lab: Lab) -> None:
    deadline = time.monotonic() + STOP_WITHIN_S
    while time.monotonic() < deadline and _alive(lab, "daemon.json"):
        time.sleep(LOOK_EVERY_S)


def _end_processes(lab: Lab) -> None:
    """End by number what is still there and was started by this lab, the supervisor first."""
    for file in ("daemon.json", "pids.json"):
        for process in _alive(lab, file):
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
    gone = [process for file in ("daemon.json", "pids.json") for process in _alive(lab, file)]
    psutil.wait_procs(gone, timeout=5)


def _alive(lab: Lab, file: str) -> list[psutil.Process]:
    try:
        known = as_object(orjson.loads((lab.data / file).read_bytes()))
    except (OSError, ValueError):
        return []
    return [process for entry in known.values() if (process := _same(as_object(entry)))]


def _same(entry: dict[str, object]) -> psutil.Process | None:
    """The process of a remembered number, if it is still the same one and no zombie."""
    pid = int(str(entry["pid"]))
    if created_s(pid) != entry["created_s"]:
        return None
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        if process.status() != psutil.STATUS_ZOMBIE:
            return process
    return None
