"""The process that runs llama.cpp: reads what to serve, says where, leaves with its parent.

Started by `embedded`, never by hand: `python -m opsmith.backends.llm.llama_process`.
"""

from __future__ import annotations

import json
import os
import sys

# Tokens of prompts kept in memory to be told on, MiB; llama.cpp's own default is 8192.
_CACHE_MIB = 256


def main() -> None:
    """Serve until standard input ends, which it does when the parent is gone."""
    wanted: dict[str, object] = json.loads(sys.stdin.buffer.readline())
    # What the engine prints must not be taken for our answer.
    said = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        from xllamacpp import Server  # noqa: PLC0415 - only this process loads the engine

        server = Server(_parameters(wanted))
    except (ImportError, RuntimeError, ValueError, OSError) as error:
        said.write(f"{error}".replace("\n", " ") + "\n")
        said.flush()
        os._exit(1)
    said.write(f"{server.listening_address}\n")
    said.flush()
    sys.stdin.buffer.read()
    # Its threads may be in the middle of a prompt that nobody waits for any more.
    os._exit(0)


def _parameters(wanted: dict[str, object]) -> object:
    from xllamacpp import (  # noqa: PLC0415 - only this process loads the engine
        CommonAdapterLoraInfo,
        CommonParams,
    )

    chosen = CommonParams()
    chosen.model.path = wanted["path"]
    chosen.model_alias = {wanted["name"]}
    chosen.n_ctx = wanted["context"]
    chosen.n_parallel = wanted["at_once"]
    chosen.cpuparams.n_threads = wanted["threads"]
    chosen.cpuparams_batch.n_threads = wanted["threads"]
    chosen.port = 0
    chosen.api_keys = [wanted["key"]]
    chosen.ui = False
    chosen.offline = True
    chosen.cache_ram_mib = _CACHE_MIB
    chosen.verbosity = 0
    if wanted["adapter"]:
        adapter = CommonAdapterLoraInfo()
        adapter.path = wanted["adapter"]
        adapter.scale = 1.0  # of its own alpha / rank
        chosen.lora_adapters = [adapter]
    return chosen


if __name__ == "__main__":
    main()
