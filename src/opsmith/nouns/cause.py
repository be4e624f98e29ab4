"""CauseKind: what sort of fault it is; runbooks, labels and reports key on these codes."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class CauseKind(StrEnum):
    """The documented codes of root causes."""

    CPU_SATURATED = "cpu.saturated"
    MEMORY_LEAK = "memory.leak"
    MEMORY_OOM = "memory.oom"
    POOL_EXHAUSTED = "pool.exhausted"
    DEPENDENCY_SLOW = "dependency.slow"
    NETWORK_RESETS = "network.resets"
    DEPLOY_BAD = "deploy.bad"
    CONFIG_BAD = "config.bad"
    CACHE_STAMPEDE = "cache.stampede"
    DISK_FULL = "disk.full"
    CRASH_LOOP = "crash.loop"
    CODE_EARLY_RETURN = "code.early_return"
    CODE_EXCEPTION = "code.exception"
    RETRY_STORM = "retry.storm"
    TRAFFIC_SURGE = "traffic.surge"
    UNKNOWN = "unknown"


MEANING: Mapping[CauseKind, str] = MappingProxyType(
    {
        CauseKind.CPU_SATURATED: "the component has no processor time left",
        CauseKind.MEMORY_LEAK: "its memory grows steadily towards its limit",
        CauseKind.MEMORY_OOM: "it ran out of memory and was killed",
        CauseKind.POOL_EXHAUSTED: "every connection of its bounded pool is taken",
        CauseKind.DEPENDENCY_SLOW: "calls over one edge take much longer than before",
        CauseKind.NETWORK_RESETS: "connections over one edge are reset",
        CauseKind.DEPLOY_BAD: "a new version fails where the old one did not",
        CauseKind.CONFIG_BAD: "a changed setting broke it",
        CauseKind.CACHE_STAMPEDE: "the cache lost its keys and its readers all fall through",
        CauseKind.DISK_FULL: "a volume it writes to has no room left",
        CauseKind.CRASH_LOOP: "it starts, dies and starts again",
        CauseKind.CODE_EARLY_RETURN: "its code leaves an operation early, without an error",
        CauseKind.CODE_EXCEPTION: "its code raises where it did not before",
        CauseKind.RETRY_STORM: "callers repeat failed calls faster than they can be served",
        CauseKind.TRAFFIC_SURGE: "far more work arrives than before",
        CauseKind.UNKNOWN: "it is ill, and the evidence does not say how",
    }
)
