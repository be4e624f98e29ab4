import hashlib
import hmac
import json
from datetime import UTC, datetime

import httpx
import pytest

from opsmith.backends.notify import forms
from opsmith.backends.notify.http import SIGNATURE, HttpNotify
from opsmith.errors import BadAnswer, BadInput, OpsmithError, Unreachable
from opsmith.seams.notify import Notice

AT = datetime(2026, 1, 1, tzinfo=UTC)
NOTICE = Notice(
    incident="i1",
    state="open",
    title="open: <b>*cart*</b>",
    lines=("the `pool` & <script>",),
    link="http://127.0.0.1:8417/r",
    revision=1,
    at=AT,
)


class Place:
    """A receiver that keeps what it was sent and answers what it is told to."""

    def __init__(self, status: int = 200, answer: object = None) -> None:
        self.requests: list[httpx.Request] = []
        self.status = status
        self.answer = {} if answer is None else answer

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(self.status, json=self.answer)


def sender(kind: str, place: Place, *, url: str = "http://chat.test/hook?k=1") -> HttpNotify:
    return HttpNotify(kind, url, secret="s", transport=httpx.MockTransport(place))


async def test_our_webhook_is_signed_over_time_and_body() -> None:
    place = Place()

    handle = await sender("webhook", place).send(NOTICE, handle="")

    (request,) = place.requests
    stamp, mac = (part.split("=")[1] for part in request.headers[SIGNATURE].split(","))
    wanted = hmac.new(b"s", stamp.encode() + b"." + request.content, hashlib.sha256).hexdigest()
    assert mac == wanted
    assert json.loads(request.content)["incident"] == "i1"
    assert handle == "i1"


@pytest.mark.parametrize("kind", ["slack", "feishu", "dingtalk", "wecom", "teams"])
async def test_each_service_gets_its_form_and_no_markup_of_strangers(kind: str) -> None:
    place = Place()

    await sender(kind, place).send(NOTICE, handle="")

    text = place.requests[0].content.decode()
    assert "Report" in text
    if kind == "slack":
        assert "&lt;script&gt;" in text
    if kind in {"dingtalk", "wecom", "teams"}:
        assert r"\\*cart\\*" in text


async def test_services_with_secrets_get_their_signatures() -> None:
    feishu, dingtalk = Place(), Place()
    await sender("feishu", feishu).send(NOTICE, handle="")
    await sender("dingtalk", dingtalk).send(NOTICE, handle="")

    assert json.loads(feishu.requests[0].content)["timestamp"] == str(int(AT.timestamp()))
    assert "&sign=" in str(dingtalk.requests[0].url)


async def test_a_slack_bot_replaces_its_message() -> None:
    place = Place(answer={"ok": True, "channel": "C1", "ts": "12.3"})
    bot = sender("slack-bot", place, url="http://chat.test/api#ops")

    handle = await bot.send(NOTICE, handle="")
    await bot.send(NOTICE, handle=handle)

    assert [request.url.path for request in place.requests] == [
        "/api/chat.postMessage",
        "/api/chat.update",
    ]
    assert json.loads(place.requests[1].content)["ts"] == "12.3"
    assert place.requests[0].headers["authorization"] == "Bearer s"


@pytest.mark.parametrize(
    ("status", "answer", "error"),
    [
        (429, {}, Unreachable),
        (503, {}, Unreachable),
        (404, {}, BadAnswer),
        (200, {"errcode": 310000, "errmsg": "sign not match"}, BadAnswer),
    ],
)
async def test_a_no_is_told_from_a_wait(
    status: int, answer: object, error: type[OpsmithError]
) -> None:
    with pytest.raises(error):
        await sender("dingtalk", Place(status, answer)).send(NOTICE, handle="")


async def test_an_answer_that_is_no_json_is_a_yes() -> None:
    def ok(request: httpx.Request) -> httpx.Response:
        del request
        return httpx.Response(200, text="ok")

    place = HttpNotify("slack", "http://chat.test", secret="", transport=httpx.MockTransport(ok))
    assert await place.send(NOTICE, handle="") == ""
    await place.aclose()


async def test_a_place_that_is_down_is_unreachable() -> None:
    def down(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    place = HttpNotify("slack", "http://chat.test", secret="", transport=httpx.MockTransport(down))
    with pytest.raises(Unreachable, match="refused"):
        await place.send(NOTICE, handle="")


def test_a_kind_that_nobody_knows_is_refused() -> None:
    with pytest.raises(BadInput, match="kind of receiver"):
        HttpNotify("pigeon", "http://x", secret="")


def test_wecom_stays_inside_its_limit() -> None:
    told = forms.wecom("标题" * 900, ("行" * 3000,), "http://x")

    markdown = told["markdown"]
    assert isinstance(markdown, dict)
    assert len(markdown["content"].encode()) <= 4096
