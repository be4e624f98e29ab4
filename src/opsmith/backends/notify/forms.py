"""Forms: one notice as each chat service wants it.

Sources: Slack "Incoming webhooks" and "chat.postMessage"; Feishu "Custom bot guide"; DingTalk
"Custom robot access"; WeCom "Group robot configuration"; Microsoft "Create incoming webhooks with
Workflows" and Adaptive Cards 1.4; RFC 2104 for the signatures.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote_plus

Json = Mapping[str, object]


def slack(title: str, lines: tuple[str, ...], link: str) -> Json:
    """Slack and what speaks like it (Mattermost, Rocket.Chat)."""
    body = "\n".join(map(_slack_text, lines))
    text = f"*{_slack_text(title)}*\n{body}"
    if link:
        text += f"\n<{link}|Report>"
    section = {"type": "section", "text": {"type": "mrkdwn", "text": text[:3000]}}
    return {"text": _slack_text(title), "blocks": [section]}


def feishu(title: str, lines: tuple[str, ...], link: str) -> Json:
    """Feishu and Lark: a rich-text post, in which names stay text."""
    content: list[list[Json]] = [[{"tag": "text", "text": line}] for line in lines]
    if link:
        content.append([{"tag": "a", "text": "Report", "href": link}])
    return {
        "msg_type": "post",
        "content": {"post": {"zh_cn": {"title": title, "content": content}}},
    }


def feishu_signature(secret: str, at: datetime) -> Json:
    """What Feishu wants beside the message when the bot has a secret."""
    seconds = str(int(at.timestamp()))
    mac = hmac.new(f"{seconds}\n{secret}".encode(), b"", hashlib.sha256)
    return {"timestamp": seconds, "sign": base64.b64encode(mac.digest()).decode()}


def dingtalk(title: str, lines: tuple[str, ...], link: str) -> Json:
    """DingTalk: Markdown with its marks taken for text."""
    text = "\n\n".join((f"### {_markdown(title)}", *map(_markdown, lines)))
    if link:
        text += f"\n\n[Report]({link})"
    return {"msgtype": "markdown", "markdown": {"title": title, "text": text}}


def dingtalk_signature(secret: str, at: datetime) -> str:
    """What DingTalk wants behind the address when the robot has a secret."""
    millis = str(int(at.timestamp() * 1000))
    mac = hmac.new(secret.encode(), f"{millis}\n{secret}".encode(), hashlib.sha256)
    return f"&timestamp={millis}&sign={quote_plus(base64.b64encode(mac.digest()))}"


def wecom(title: str, lines: tuple[str, ...], link: str) -> Json:
    """WeCom: its Markdown holds 4,096 bytes at most."""
    text = "\n".join((f"**{_markdown(title)}**", *map(_markdown, lines)))
    room = 4000 - len(link.encode())
    text = text.encode()[:room].decode(errors="ignore")
    if link:
        text += f"\n[Report]({link})"
    return {"msgtype": "markdown", "markdown": {"content": text}}


def teams(title: str, lines: tuple[str, ...], link: str) -> Json:
    r"""Microsoft Teams: an Adaptive Card; plain text blocks take `\\` before Markdown's marks."""
    blocks: list[Json] = [
        {"type": "TextBlock", "text": _markdown(title), "weight": "Bolder", "wrap": True},
        *({"type": "TextBlock", "text": _markdown(line), "wrap": True} for line in lines),
    ]
    card: dict[str, object] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": blocks,
    }
    if link:
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Report", "url": link}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    return {"type": "message", "attachments": [attachment]}


def signature(secret: str, body: bytes, at: datetime) -> str:
    """The header of our own webhook: time and HMAC-SHA256 over `time.body`, in hex.

    >>> from datetime import UTC
    >>> signature("s", b"{}", datetime(1970, 1, 1, tzinfo=UTC))[:7]
    't=0,v1='
    """
    seconds = int(at.timestamp())
    mac = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256)
    return f"t={seconds},v1={mac.hexdigest()}"


def _slack_text(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _markdown(text: str) -> str:
    return "".join(f"\\{mark}" if mark in "\\`*_{}[]()#+-.!|<>~" else mark for mark in text)
