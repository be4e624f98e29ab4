"""Notices over HTTP: our signed webhook, and the chat services that take one POST."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import httpx
import orjson

from opsmith.backends.notify import forms
from opsmith.errors import BadAnswer, BadInput, Unreachable
from opsmith.seams.notify import Notice

TIMEOUT_S = 10.0
SIGNATURE = "X-Opsmith-Signature"
FORMS: Mapping[str, Callable[[str, tuple[str, ...], str], forms.Json]] = {
    "slack": forms.slack,
    "feishu": forms.feishu,
    "dingtalk": forms.dingtalk,
    "wecom": forms.wecom,
    "teams": forms.teams,
}
KINDS = ("webhook", "slack-bot", *FORMS)
SLACK_API = "https://slack.com/api"


class HttpNotify:
    """Posts to one address. kind: one of `KINDS`; secret: signs or lets in, empty for none.

    A `slack-bot` posts with its token (the secret) to the channel named by the address
    `https://HOST/api#CHANNEL` and replaces its message; the others can only add one.
    """

    def __init__(
        self,
        kind: str,
        url: str,
        *,
        secret: str,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        if kind not in KINDS:
            raise BadInput(
                f"{kind[:40]!r} is no kind of receiver.", hint=f"Take {', '.join(KINDS)}."
            )
        self._kind = kind
        self._url = url
        self._secret = secret
        self._client = httpx.AsyncClient(timeout=TIMEOUT_S, transport=transport)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def send(self, notice: Notice, *, handle: str) -> str:
        """Deliver one notice; see `seams.notify.Notify`."""
        if self._kind == "slack-bot":
            return await self._bot(notice, handle)
        url, body, headers = self._post(notice)
        self._check(await self._ask(url, body, headers))
        return notice.incident if self._kind == "webhook" else ""

    def _post(self, notice: Notice) -> tuple[str, bytes, dict[str, str]]:
        headers = {"Content-Type": "application/json"}
        if self._kind == "webhook":
            body = orjson.dumps(notice)
            if self._secret:
                headers[SIGNATURE] = forms.signature(self._secret, body, notice.at)
            return self._url, body, headers
        told = dict(FORMS[self._kind](notice.title, notice.lines, notice.link))
        url = self._url
        if self._secret and self._kind == "feishu":
            told |= forms.feishu_signature(self._secret, notice.at)
        if self._secret and self._kind == "dingtalk":
            url += forms.dingtalk_signature(self._secret, notice.at)
        return url, orjson.dumps(told), headers

    async def _bot(self, notice: Notice, handle: str) -> str:
        base, _, channel = self._url.partition("#")
        told = {**forms.slack(notice.title, notice.lines, notice.link), "channel": channel}
        method = "chat.postMessage"
        if handle:
            channel_id, _, stamp = handle.partition("/")
            told |= {"channel": channel_id, "ts": stamp}
            method = "chat.update"
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Authorization": f"Bearer {self._secret}",
        }
        answer = self._check(await self._ask(f"{base}/{method}", orjson.dumps(told), headers))
        return f"{answer.get('channel', channel)}/{answer.get('ts', '')}"

    async def _ask(self, url: str, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
        try:
            return await self._client.post(url, content=body, headers=dict(headers))
        except httpx.InvalidURL as error:
            raise BadAnswer(f"The {self._kind} receiver has no usable address.") from error
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise Unreachable(
                f"The {self._kind} receiver did not answer ({reason[:200]})."
            ) from error

    def _check(self, answer: httpx.Response) -> Mapping[str, object]:
        """The answer's JSON, if any; chat services say no with a 200 and a code."""
        status = answer.status_code
        if status == httpx.codes.TOO_MANY_REQUESTS or status >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise Unreachable(f"The {self._kind} receiver asks to wait (HTTP {status}).")
        if status >= httpx.codes.MULTIPLE_CHOICES:
            raise BadAnswer(f"The {self._kind} receiver refuses the message (HTTP {status}).")
        try:
            told = orjson.loads(answer.content)
        except orjson.JSONDecodeError:
            return {}
        if not isinstance(told, dict):
            return {}
        refused = told.get("errcode") or told.get("code") or told.get("ok") is False
        if refused and self._kind != "webhook":
            why = str(told.get("errmsg") or told.get("msg") or told.get("error"))
            raise BadAnswer(f"The {self._kind} receiver refuses the message: {why[:200]}.")
        return told
