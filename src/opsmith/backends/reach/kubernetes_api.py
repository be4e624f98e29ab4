"""One cluster's API: objects got, listed and patched as they are written, each by a checked name.

The official client finds the server, the account and its token; requests go through its own
connection pool, so that no object loses a field that some version of the client does not know.
Sources: Kubernetes API conventions and API concepts (patch, dry run, `resourceVersion`, eviction).
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlencode

from opsmith.errors import (
    BadAnswer,
    BadInput,
    Conflict,
    MissingExtra,
    NotFound,
    OpsmithError,
    Unreachable,
)
from opsmith.nouns.redaction import redact

try:
    from kubernetes import client, config
    from urllib3.exceptions import HTTPError
except ImportError as error:
    raise MissingExtra(
        "Reaching a cluster needs the client of Kubernetes.",
        hint="pip install 'opsmith[kubernetes]'",
    ) from error

TIMEOUT_S = 20.0
# Larger than any list of one namespace's workloads or one node's pods should be.
LARGEST_ANSWER = 64 * 1024 * 1024
PAGE = 500
MOST_PAGES = 40
# A read is asked again this often while the server is busy or away for a moment.
TRIES = 3
LONGEST_WAIT_S = 10.0
_BUSY = frozenset({429, 502, 503, 504})
_LONGEST_SAID = 300

# RFC 1123 names as Kubernetes takes them: a label, and labels joined by dots.
_LABEL = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_LABEL_NAME = re.compile(_LABEL, re.ASCII)
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)
_LONGEST_NAME = 253

Told = Mapping[str, object]
Ops = Sequence[Mapping[str, object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of object as the API names it. group: empty for the core. places: in a namespace."""

    group: str
    version: str
    plural: str
    name: str
    places: bool = True

    @property
    def api_version(self) -> str:
        """As objects say it."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def address(self, namespace: str = "", name: str = "", sub: str = "") -> str:
        """The path of one object or of a list. Raises `BadInput` for what is no name."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        parts = [root]
        if namespace and self.places:
            parts.append(f"namespaces/{label(namespace)}")
        parts.append(self.plural)
        if name:
            parts.append(dns_name(name))
        if sub:
            parts.append(sub)
        return "/".join(parts)


def dns_name(text: str) -> str:
    """`text`, if it can name an object (RFC 1123 subdomain). Raises `BadInput`."""
    if len(text) > _LONGEST_NAME or not _NAME.fullmatch(text):
        raise BadInput(
            f"{text[:60]!r} names nothing in a cluster: names are lower-case letters, digits,"
            " `-` and `.`, as RFC 1123 has them."
        )
    return text


def label(text: str) -> str:
    """`text`, if it can name a namespace (RFC 1123 label). Raises `BadInput`."""
    if not _LABEL_NAME.fullmatch(text):
        raise BadInput(f"{text[:60]!r} names no namespace: lower-case letters, digits and `-`.")
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Where a cluster is and as whom it is asked, read already.

    headers: sent with every request. Files are PEM. proxy: empty for none.
    """

    host: str
    headers: Mapping[str, str]
    verify: bool = True
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    server_name: str | None = None
    proxy: str | None = None
    no_proxy: str | None = None

    @classmethod
    def read(cls, kubeconfig: Path | None, context: str | None) -> Account:
        """As the official client reads it, programs that make tokens included. `BadInput`."""
        made = _configuration(kubeconfig, context)
        return cls(
            host=made.host,
            headers=_who(made),
            verify=made.verify_ssl,
            ca_file=made.ssl_ca_cert,
            cert_file=made.cert_file,
            key_file=made.key_file,
            server_name=made.tls_server_name,
            proxy=made.proxy,
            no_proxy=made.no_proxy,
        )

    def configuration(self) -> client.Configuration:
        """As the official client has it."""
        made = client.Configuration(host=self.host)
        made.verify_ssl, made.ssl_ca_cert = self.verify, self.ca_file
        made.cert_file, made.key_file = self.cert_file, self.key_file
        made.tls_server_name = self.server_name
        made.proxy, made.no_proxy = self.proxy, self.no_proxy
        return made


class ClusterApi:
    """The API of one cluster.

    kubeconfig: its file, None for the account of the pod that opsmith runs in.
    context: of the file, None for its current one.
    account: what they say, where it was read already; it is not read again.
    """

    def __init__(
        self,
        kubeconfig: Path | None,
        *,
        context: str | None = None,
        account: Account | None = None,
    ) -> None:
        self._account = account
        self._kubeconfig = kubeconfig
        self._context = context
        self._client: client.ApiClient | None = None

    async def get(self, kind: Kind, namespace: str, name: str) -> Told:
        """One object. Raises `NotFound`."""
        return await self._asked("GET", kind.address(namespace, name), f"{kind.name} {name}")

    async def listed(
        self, kind: Kind, namespace: str = "", *, fields: str = "", labels: str = ""
    ) -> list[Told]:
        """The objects of one namespace, or of all. fields, labels: selectors, empty for all."""
        selectors = {"fieldSelector": fields, "labelSelector": labels}
        asked = {name: text for name, text in selectors.items() if text}
        found: list[Told] = []
        mark = ""
        for _ in range(MOST_PAGES):
            query = urlencode({**asked, "limit": PAGE, **({"continue": mark} if mark else {})})
            address = f"{kind.address(namespace)}?{query}"
            answer = await self._asked("GET", address, f"the list of {kind.plural}")
            found.extend(items(answer.get("items")))
            mark = text_of(fields_of(answer, "metadata").get("continue"))
            if not mark:
                return found
        raise BadAnswer(f"The list of {kind.plural} has more than {MOST_PAGES} pages.")

    async def patch(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        ops: Ops,
        *,
        sub: str = "",
        rehearse: bool = False,
    ) -> Told:
        """Change an object by a JSON Patch (RFC 6902); `Conflict` for another `resourceVersion`.

        rehearse: the server checks and admits it and keeps nothing.
        """
        address = kind.address(namespace, name, sub) + _dry(rehearse)
        return await self._asked("PATCH", address, f"{kind.name} {name}", list(ops))

    async def create(
        self, kind: Kind, document: Told, *, namespace: str = "", rehearse: bool = False
    ) -> Told:
        """Make an object."""
        address = kind.address(namespace) + _dry(rehearse)
        return await self._asked("POST", address, f"a {kind.name}", document)

    async def evict(
        self, pod: Told, *, grace_s: int | None = None, rehearse: bool = False
    ) -> tuple[str, float]:
        """Ask that a pod ends: (why not now, how many seconds to wait); nothing when it does.

        One that is gone, or is another by now, has ended. Raises `BadInput` where it may not be.
        """
        meta = fields_of(pod, "metadata")
        name, namespace = text_of(meta.get("name")), text_of(meta.get("namespace"))
        options: dict[str, object] = {"preconditions": {"uid": text_of(meta.get("uid"))}}
        if grace_s is not None:
            options["gracePeriodSeconds"] = grace_s
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": namespace},
            "deleteOptions": options,
        }
        address = POD.address(namespace, name, "eviction") + _dry(rehearse)
        status, content, wait_s = await self._request("POST", address, body)
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            return _said(content), wait_s
        if status not in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):
            _object(status, content, f"pod {name}", "POST")
        return "", 0.0

    async def aclose(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await asyncio.to_thread(self._client.rest_client.pool_manager.clear)
            self._client = None

    async def _asked(self, method: str, address: str, what: str, body: object = None) -> Told:
        """An answer that says yes; a question is asked again while the server is busy."""
        status, content, wait_s = await self._request(method, address, body)
        for _ in range(TRIES - 1):
            # A server that is too busy (429) has not begun what it was asked for.
            if status != HTTPStatus.TOO_MANY_REQUESTS and (method != "GET" or status not in _BUSY):
                break
            await asyncio.sleep(wait_s)
            status, content, wait_s = await self._request(method, address, body)
        return _object(status, content, what, method)

    async def _request(self, method: str, address: str, body: object) -> tuple[int, bytes, float]:
        """(status, body, seconds to wait); a token that ran out is read anew, once."""
        answer = await asyncio.to_thread(self._once, method, address, body)
        if answer[0] == HTTPStatus.UNAUTHORIZED:
            await self.aclose()
            answer = await asyncio.to_thread(self._once, method, address, body)
        return answer

    def _once(self, method: str, address: str, body: object) -> tuple[int, bytes, float]:
        api = self._opened()
        settings = api.configuration
        who = self._account.headers if self._account else _who(settings)
        headers = {"Accept": "application/json", "User-Agent": "opsmith", **who}
        if body is not None:
            patches = method == "PATCH"
            headers["Content-Type"] = f"application/json{'-patch+json' if patches else ''}"
        try:
            answer = api.rest_client.pool_manager.request(
                method,
                settings.host.rstrip("/") + address,
                body=None if body is None else json.dumps(body).encode(),
                headers=headers,
                timeout=TIMEOUT_S,
                # Whoever answers elsewhere is not the server that was configured.
                redirect=False,
                retries=False,
                preload_content=False,
            )
            content = answer.read(LARGEST_ANSWER + 1)
            answer.release_conn()
        except (HTTPError, OSError) as error:
            raise Unreachable(f"The cluster did not answer ({str(error)[:200]}).") from error
        if len(content) > LARGEST_ANSWER:
            raise BadAnswer(f"The cluster answered with more than {LARGEST_ANSWER} bytes.")
        return answer.status, content, _wait_s(answer.headers.get("Retry-After"))

    def _opened(self) -> client.ApiClient:
        if self._client is None:
            known = self._account
            self._client = client.ApiClient(
                known.configuration() if known else _configuration(self._kubeconfig, self._context)
            )
        return self._client


def _configuration(kubeconfig: Path | None, context: str | None) -> client.Configuration:
    made = client.Configuration()
    try:
        if kubeconfig is None:
            config.load_incluster_config(client_configuration=made)  # type: ignore[no-untyped-call]
        else:
            config.load_kube_config(  # type: ignore[no-untyped-call]
                str(kubeconfig), context, client_configuration=made
            )
    except (config.ConfigException, OSError, ValueError, TypeError) as error:
        where = kubeconfig or "the pod's own account"
        raise BadInput(f"No cluster is known by {where}: {str(error)[:200]}.") from error
    return made


def _who(settings: client.Configuration) -> dict[str, str]:
    headers = {}
    for one in items(list(settings.auth_settings().values())):
        if one["in"] == "header" and one["value"]:
            headers[text_of(one["key"])] = text_of(one["value"])
    return headers


def fields_of(told: Told, *keys: str) -> Told:
    """The mapping that `keys` lead to; empty where there is none."""
    for key in keys:
        value = told.get(key)
        told = value if isinstance(value, dict) else {}
    return told


def items(value: object) -> list[Told]:
    """The mappings of a list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def text_of(value: object) -> str:
    """A text, or nothing."""
    return value if isinstance(value, str) else ""


def count_of(value: object, default: int = 0) -> int:
    """A whole number, or `default`."""
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def _dry(rehearse: bool) -> str:  # noqa: FBT001 - a switch of the address
    return "?dryRun=All" if rehearse else ""


def _wait_s(told: str | None) -> float:
    """Seconds of a `Retry-After`, within reason."""
    try:
        return min(max(float(told or 1.0), 0.0), LONGEST_WAIT_S)
    except ValueError:
        return 1.0


def _object(status: int, content: bytes, what: str, method: str) -> Told:
    """The object of an answer that says yes, or the error that it means."""
    if status >= HTTPStatus.MULTIPLE_CHOICES:
        raise _refusal(status, _said(content), what, method)
    try:
        told = json.loads(content)
    except ValueError as error:
        raise BadAnswer(f"The cluster answers no JSON for {what}.") from error
    if not isinstance(told, dict):
        raise BadAnswer(f"The cluster answers {what} with what it cannot be.")
    return told


def _refusal(status: int, said: str, what: str, method: str) -> OpsmithError:
    match status:
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            return _not_let(status, said, what)
        case HTTPStatus.NOT_FOUND:
            return NotFound(f"The cluster has no {what}.")
        case HTTPStatus.CONFLICT:
            return Conflict(f"{what} was changed by somebody else: {said}")
        case HTTPStatus.BAD_REQUEST | HTTPStatus.UNPROCESSABLE_ENTITY:
            return BadInput(f"The cluster does not take this of {what}: {said}")
    if status in _BUSY or (status >= HTTPStatus.INTERNAL_SERVER_ERROR and method == "GET"):
        return Unreachable(f"The cluster cannot do it now (HTTP {status}): {said}")
    return BadAnswer(f"The cluster failed at {what} (HTTP {status}): {said}")


def _not_let(status: int, said: str, what: str) -> BadInput:
    if status == HTTPStatus.UNAUTHORIZED:
        return BadInput(
            "The cluster does not know the account (HTTP 401).",
            hint="Does the token or certificate of the kubeconfig still hold?",
        )
    return BadInput(
        f"The cluster refuses {what} (HTTP 403): {said}.",
        hint="`opsmith plan kubernetes.access TARGET` tells which rights are there; an order that"
        " says its kind (or via) asks for no other.",
    )


def _said(content: bytes) -> str:
    """The message of a `Status`, bounded; whatever else was answered is not shown."""
    try:
        told = json.loads(content)
    except ValueError:
        return "it gives no reason"
    message = text_of(told.get("message")) if isinstance(told, dict) else ""
    line = " ".join(message.split())[:_LONGEST_SAID]
    return redact(line) or "it gives no reason"


POD = Kind(group="", version="v1", plural="pods", name="Pod")
