"""Two workers in two network namespaces share the load of one server.

Run as a program in a network and mount namespace of its own (`unshare --net --mount`); prints
how many tasks each worker did as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

from promises.real_valkey import PASSWORD, valkey_server

from opsmith.nouns.job import Depth, JobState
from opsmith.seams.queue import Queue
from opsmith.settings import Settings
from opsmith.testing.queue_promises import a_job
from opsmith.wiring.queue import open_queue

TASKS = 40
FIRST = 20
HOST, PORT = "10.9.1.1", 6399
URL = f"redis://{HOST}:{PORT}/0"


def main(folder: Path) -> None:
    """Make the namespaces, start server and workers, put tasks, tell who did them."""
    ip("link", "set", "lo", "up")
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    for number, name in enumerate("ab", start=1):
        ip("netns", "add", name)
        ip("link", "add", f"v{name}", "type", "veth", "peer", "name", "eth0", "netns", name)
        ip("address", "add", f"10.9.{number}.1/24", "dev", f"v{name}")
        ip("link", "set", f"v{name}", "up")
        ip("-n", name, "address", "add", f"10.9.{number}.2/24", "dev", "eth0")
        ip("-n", name, "link", "set", "eth0", "up")
        ip("-n", name, "route", "add", "default", "via", f"10.9.{number}.1")
    with valkey_server(folder, host=HOST, port=PORT):
        workers = [worker(folder, name) for name in "ab"]
        try:
            did = asyncio.run(done_by(folder))
        finally:
            for one in workers:
                one.terminate()
                one.wait(30)
    sys.stdout.write(json.dumps(did))


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def worker(folder: Path, namespace: str) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "OPSMITH_QUEUE_URL": URL,
        "OPSMITH_QUEUE_PASSWORD": PASSWORD,
        "OPSMITH_DATA_DIR": str(folder / namespace),
    }
    words = ["ip", "netns", "exec", namespace, sys.executable, "-m", "opsmith", "worker"]
    return subprocess.Popen([*words, "--concurrency", "2"], env=environment)


async def done_by(folder: Path) -> dict[str, int]:
    """Put tasks once both workers wait; how many each did."""
    settings = Settings(data_dir=folder, queue_url=URL, queue_password=PASSWORD)
    async with asyncio.timeout(100), aclosing(open_queue(settings)) as queue:
        await queue.put([a_job(f"first{n}", body='{"wait_s": 1}') for n in range(FIRST)])
        await until(queue, lambda depth: depth.running == 4)  # two workers of two hands
        await until(queue, lambda depth: depth.done == FIRST)
        await queue.put([a_job(f"j{n}", body='{"wait_s": 0.1}') for n in range(TASKS)])
        await until(queue, lambda depth: depth.done == FIRST + TASKS)
        found = await queue.newest(state=JobState.DONE, limit=TASKS + FIRST)
    return dict(Counter(one.worker for one in found if one.job.id.startswith("j")))


async def until(queue: Queue, comes: Callable[[Depth], bool]) -> None:
    for _ in range(4000):
        if comes(await queue.depth()):
            return
        await asyncio.sleep(0.02)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
