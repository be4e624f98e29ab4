"""`opsmith watch` in a process of its own beside a running house."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx

from tests.faces.test_http import incidents, running, told


def watching(folder: Path, *words: str) -> subprocess.Popen[str]:
    """The command as a terminal starts it: Ctrl-C is not ignored, as in a shell's background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "opsmith", "watch", *words],
            env={**os.environ, "OPSMITH_DATA_DIR": str(folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        signal.signal(signal.SIGINT, before)
    assert process.stderr is not None
    assert "following" in process.stderr.readline()
    return process


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def until_known(client: httpx.Client) -> None:
    while not incidents(client)[0]["verdict"]:
        pass


def test_incidents_are_shown_as_they_come_and_ctrl_c_ends_it(tmp_path: Path) -> None:
    with running(tmp_path) as client:
        client.post("/webhook/alertmanager", json=told("before\x1b[31m"))
        until_known(client)
        as_json = watching(tmp_path, "--since", "1h", "-o", "json")
        as_text = watching(tmp_path, "--since", "1h")
        begins = [json.loads(line(as_json)), line(as_text)]
        client.post("/webhook/alertmanager", json=told("later"))
        comes = [json.loads(line(as_json)), line(as_text)]
        for process in (as_json, as_text):
            process.send_signal(signal.SIGINT)
        ends = [process.wait(timeout=30) for process in (as_json, as_text)]
        for process in (as_json, as_text):
            process.communicate()

    assert begins[0]["type"] == "incident"
    assert begins[0]["verdict"] is not None
    assert len(comes[0]["alerts"]) == 2
    assert "2/2 firing" in comes[1]
    assert "\x1b" not in begins[1]
    assert ends == [130, 130]
