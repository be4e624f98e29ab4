"""Active alerts from Alertmanager's API, version 2.

Source: prometheus/alertmanager, api/v2/openapi.yaml, GET /alerts.
"""

from __future__ import annotations

import httpx

from opsmith.errors import BadAnswer, BadInput, Unreachable

TIMEOUT_S = 10.0


class AlertmanagerAlerts:
    """Asks one Alertmanager. url: its base address, with its path prefix if it has one."""

    def __init__(self, url: str, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        try:
            self._client = httpx.AsyncClient(
                base_url=url.rstrip("/") + "/", timeout=TIMEOUT_S, transport=transport
            )
        except (httpx.InvalidURL, ValueError) as error:
            raise BadInput(f"{url[:200]!r} is no address of an Alertmanager.") from error

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def active(self) -> bytes:
        """The active alerts, silenced and inhibited ones left out as their notices are."""
        asked = {"active": "true", "silenced": "false", "inhibited": "false"}
        try:
            answer = await self._client.get("api/v2/alerts", params=asked)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = str(error) or type(error).__name__
            raise Unreachable(f"Alertmanager did not answer ({reason[:300]}).") from error
        if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise Unreachable(f"Alertmanager failed (HTTP {answer.status_code}).")
        if answer.status_code != httpx.codes.OK:
            raise BadAnswer(f"Alertmanager answered HTTP {answer.status_code}.")
        return answer.content
