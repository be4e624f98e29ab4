"""Recorded series answer PromQL as a real Prometheus does, on the recording of a real incident."""

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from opsmith.backends.metrics.recorded import RecordedMetrics
from opsmith.ingest.bundle_metrics import scraped
from opsmith.nouns.series import Series
from opsmith.seams.metrics import Metrics
from tests.promises.real_prometheus import real

BUNDLE = Path(__file__).parents[2] / "examples" / "incidents" / "bad-deploy"
LATENCY = "http_server_request_duration_seconds"
MEMORY_SHARE = (
    "sum by (service) (container_memory_working_set_bytes)"
    " / on (service) sum by (service) (container_spec_memory_limit_bytes)"
)
FAILED_SHARE = (
    f'sum(rate({LATENCY}_count{{http_response_status_code=~"5.."}}[1m]))'
    f" / sum(rate({LATENCY}_count[1m]))"
)
EXPRESSIONS = (
    f'histogram_quantile(0.95, sum by (le) (rate({LATENCY}_bucket{{service="frontend"}}[30s])))',
    f"histogram_quantile(0.5, sum by (le, service) (rate({LATENCY}_bucket[1m])))",
    f"sum by (service) (rate({LATENCY}_count[45s]))",
    f"sum without (http_route, http_request_method) (increase({LATENCY}_count[1m]))",
    "max_over_time(http_server_active_requests[30s]) * 2 - 1",
    "avg_over_time(http_server_active_requests[30s])",
    "sum_over_time(up[1m]) / count_over_time(up[1m])",
    "min_over_time(process_resident_memory_bytes[1m]) > 60000000",
    "process_resident_memory_bytes / process_memory_limit_bytes",
    MEMORY_SHARE,
    "irate(process_cpu_seconds_total[1m])",
    "delta(process_open_fds[1m])",
    'count(up{job="shop"} == 1) or vector(0)',
    FAILED_SHARE,
    "up unless up{service=~'cart|checkout'}",
    "up and on (service) up{service='cart'}",
    "clamp_max(avg by (service) (up), 0.5) + 1",
    "http_server_active_requests offset 30s",
)


def rows(found: tuple[Series, ...]) -> dict[str, dict[float, float]]:
    return {
        one.key: {
            at: value
            for at, value in zip(one.times_s.tolist(), one.values.tolist(), strict=True)
            if np.isfinite(value)
        }
        for one in found
        if np.isfinite(one.values).any()
    }


async def asked(metrics: Metrics, promql: str) -> dict[str, dict[float, float]]:
    series = scraped(BUNDLE)
    start = datetime.fromtimestamp(min(float(one.times_s[0]) for one in series), tz=UTC)
    start = start.replace(microsecond=0) + timedelta(seconds=1)
    end = start + timedelta(minutes=5)
    found = await metrics.query_range(promql, start=start, end=end, step=timedelta(seconds=7))
    return rows(found)


@pytest.mark.needs_prometheus
async def test_recorded_series_answer_promql_as_a_real_server_does(tmp_path: Path) -> None:
    recorded = RecordedMetrics(scraped(BUNDLE))
    text = gzip.decompress((BUNDLE / "metrics.om.gz").read_bytes()).decode()
    async with real(tmp_path, text) as server:
        for promql in EXPRESSIONS:
            ours, theirs = await asked(recorded, promql), await asked(server, promql)
            assert theirs, promql
            assert ours.keys() == theirs.keys(), promql
            for key, points in theirs.items():
                assert ours[key].keys() == points.keys(), (promql, key)
                assert np.allclose(
                    list(ours[key].values()), list(points.values()), rtol=1e-9, equal_nan=True
                ), (promql, key)
