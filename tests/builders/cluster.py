"""An emulated Kubernetes API server on a loopback port: no real one is to be had as a package.

It keeps objects with uids, generations and resource versions, applies JSON Patch, refuses a patch
of another `resourceVersion` (409), rehearses with `dryRun=All`, scales by `scale`, evicts within
budgets (429), answers access reviews, and lets a small controller follow with each look, so that
a rollout takes a few looks. What it does not know it answers with 404, as a server would.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import yaml

TOKEN = "t0ken"
HASH = "pod-template-hash"
REVISION = {
    "deployments": "deployment.kubernetes.io/revision",
    "rollouts": "rollout.argoproj.io/revision",
}
KINDS = {
    "deployments": ("apps/v1", "Deployment"),
    "statefulsets": ("apps/v1", "StatefulSet"),
    "daemonsets": ("apps/v1", "DaemonSet"),
    "rollouts": ("argoproj.io/v1alpha1", "Rollout"),
}
_PATH = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/(?P<version>[^/]+)"
    r"(?:/namespaces/(?P<place>[^/]+))?/(?P<plural>[^/]+)(?:/(?P<name>[^/]+))?(?:/(?P<sub>[^/]+))?"
)

Object = dict[str, Any]


class Refusal(Exception):
    """A status that is no yes."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class EmulatedCluster:
    """The whole of it.

    denied: `verb resource` (or `verb resource/sub`) that the account may not. webhook: says why an
    object is not admitted. budgets: evictions that are left for pods by their label `app`.
    busy: how many requests are answered with 429 before one is heard. meanwhile: is called before
    each patch that is meant.
    """

    objects: dict[tuple[str, str, str], Object] = field(default_factory=dict)
    denied: set[str] = field(default_factory=set)
    webhook: Callable[[Object], str] = lambda _: ""
    budgets: dict[str, int] = field(default_factory=dict)
    meanwhile: Callable[[], None] = lambda: None
    tokens: set[str] = field(default_factory=lambda: {TOKEN})
    asked: list[str] = field(default_factory=list)
    busy: int = 0
    version: int = 100

    def __post_init__(self) -> None:
        self._lock = threading.RLock()

    def put(self, plural: str, told: Object) -> Object:
        """Keep a new object."""
        self.version += 1
        made = deepcopy(told)
        meta = made.setdefault("metadata", {})
        meta.setdefault("uid", f"uid-{self.version}")
        meta.setdefault("generation", 1)
        meta["resourceVersion"] = str(self.version)
        self.objects[plural, meta.get("namespace", ""), meta["name"]] = made
        return made

    def get(self, plural: str, place: str, name: str) -> Object:
        return self.objects[plural, place, name]

    def touch(self, plural: str, place: str, name: str, **status: object) -> None:
        """Somebody writes the status: another `resourceVersion`, the same generation."""
        told = self.get(plural, place, name)
        told.setdefault("status", {}).update(status)
        self._written(told)

    def respec(self, plural: str, place: str, name: str, change: Callable[[Object], None]) -> None:
        """Somebody else changes what it is meant to be."""
        told = self.get(plural, place, name)
        change(told["spec"])
        told["metadata"]["generation"] += 1
        self._written(told)
        self._follow(plural, told)

    def workload(self, plural: str, name: str, images: list[str], **spec: object) -> Object:
        """A workload in `shop` that has run each of `images`, the last one now."""
        api, kind = KINDS[plural]
        template = {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": name, "image": images[0]}]},
        }
        told: Object = {
            "apiVersion": api,
            "kind": kind,
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {
                "replicas": 3,
                "selector": {"matchLabels": {"app": name}},
                "template": template,
                **spec,
            },
            "status": {},
        }
        made = self.put(plural, told)
        for image in images:
            made["spec"]["template"]["spec"]["containers"][0]["image"] = image
            made["metadata"]["generation"] += 1
            self._settle(plural, made)
        return made

    def node(self, name: str) -> None:
        ready = {"conditions": [{"type": "Ready", "status": "True"}]}
        self.put("nodes", {"metadata": {"name": name}, "spec": {}, "status": ready})

    def pod(self, name: str, node: str, *, owner: str = "ReplicaSet", **spec: object) -> None:
        """A pod of `shop` on a node; without an owner nobody makes it anew."""
        owners = [{"kind": owner, "name": "x", "controller": True, "uid": "x"}] if owner else []
        meta = {
            "name": name,
            "namespace": "shop",
            "labels": {"app": name.partition("-")[0]},
            "ownerReferences": owners,
        }
        self.put(
            "pods",
            {
                "metadata": meta,
                "spec": {"nodeName": node, **spec},
                "status": {"phase": "Running"},
            },
        )

    # ---- the server's side

    def answer(self, method: str, path: str, body: Object, token: str) -> tuple[int, Object]:
        with self._lock:
            self.asked.append(f"{method} {path}")
            try:
                return 200, self._answer(method, path, body, token)
            except Refusal as refusal:
                told = {"kind": "Status", "code": refusal.code, "message": str(refusal)}
                return refusal.code, told

    def _answer(self, method: str, path: str, body: Object, token: str) -> Object:
        parts = urlsplit(path)
        query = {name: one[0] for name, one in parse_qs(parts.query).items()}
        found = _PATH.fullmatch(parts.path)
        if token not in self.tokens:
            raise Refusal(401, "Unauthorized")
        if self.busy:
            self.busy -= 1
            raise Refusal(429, "the server is busy")
        if found is None:
            raise Refusal(404, "the server could not find the requested resource")
        if found["plural"] == "selfsubjectaccessreviews":
            return self._review(body)
        self._check_right(method, found)
        if not found["name"]:
            return self._list(found["plural"], found["place"] or "", query)
        return self._one(method, found, body, dry=query.get("dryRun") == "All")

    def _check_right(self, method: str, found: re.Match[str]) -> None:
        verbs = {"GET": "get" if found["name"] else "list", "PATCH": "patch", "POST": "create"}
        what = f"{found['plural']}/{found['sub']}" if found["sub"] else found["plural"]
        if f"{verbs[method]} {what}" in self.denied:
            raise Refusal(403, f'cannot {verbs[method]} resource "{what}"')

    def _one(self, method: str, found: re.Match[str], body: Object, *, dry: bool) -> Object:
        plural, place, name = found["plural"], found["place"] or "", found["name"]
        if (plural, place, name) not in self.objects:
            raise Refusal(404, f'{plural} "{name}" not found')
        told = self.objects[plural, place, name]
        if found["sub"] == "eviction":
            return self._evict(told, body, dry=dry)
        if method == "GET":
            self._follow(plural, told)
            return deepcopy(told)
        return self._patch(plural, told, cast("list[Object]", body), dry=dry)

    def _list(self, plural: str, place: str, query: dict[str, str]) -> Object:
        kept = [
            one
            for (kind, where, _), one in sorted(self.objects.items())
            if kind == plural and place in ("", where)
        ]
        for selector, get in (
            ("labelSelector", lambda one, key: one["metadata"].get("labels", {}).get(key)),
            ("fieldSelector", lambda one, key: one["spec"].get(key.partition(".")[2])),
        ):
            for pair in filter(None, query.get(selector, "").split(",")):
                key, _, value = pair.partition("=")
                kept = [one for one in kept if get(one, key) == value]
        found = deepcopy(kept)
        for one in kept:
            if plural == "pods" and "deletionTimestamp" in one["metadata"]:
                self._end(one)
        start = int(query.get("continue", 0))
        end = start + int(query.get("limit", 500))
        more = {"continue": str(end)} if end < len(found) else {}
        return {"kind": "List", "metadata": more, "items": found[start:end]}

    def _patch(self, plural: str, told: Object, ops: list[Object], *, dry: bool) -> Object:
        if not dry:
            self.meanwhile()
        made = deepcopy(told)
        wanted = made["metadata"]["resourceVersion"]
        for op in ops:
            _apply(made, op)
        if made["metadata"]["resourceVersion"] != wanted:
            raise Refusal(409, "the object has been modified; please apply your changes")
        why = self.webhook(made)
        if why:
            raise Refusal(403, f"admission webhook denied the request: {why}")
        if dry:
            return made
        if made["spec"] != told["spec"] and plural != "nodes":
            made["metadata"]["generation"] += 1
        told.clear()
        told.update(made)
        self._written(told)
        return deepcopy(told)

    def _evict(self, pod: Object, body: Object, *, dry: bool) -> Object:
        app = pod["metadata"]["labels"]["app"]
        if body["deleteOptions"]["preconditions"]["uid"] != pod["metadata"]["uid"]:
            raise Refusal(409, "the UID in the precondition does not match")
        if self.budgets.get(app, 1) <= 0:
            raise Refusal(429, "Cannot evict pod as it would violate the pod's disruption budget.")
        if not dry:
            if app in self.budgets:
                self.budgets[app] -= 1
            pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        return {"kind": "Status", "status": "Success"}

    def _end(self, pod: Object) -> None:
        """Its grace is over; the pod that takes its place is ready, so its budget has one more."""
        meta = pod["metadata"]
        self.objects.pop(("pods", meta["namespace"], meta["name"]), None)
        if meta["labels"]["app"] in self.budgets:
            self.budgets[meta["labels"]["app"]] += 1

    def _review(self, body: Object) -> Object:
        asked = body["spec"]["resourceAttributes"]
        sub = f"/{asked['subresource']}" if asked.get("subresource") else ""
        allowed = f"{asked['verb']} {asked['resource']}{sub}" not in self.denied
        return {**body, "status": {"allowed": allowed}}

    def _written(self, told: Object) -> None:
        self.version += 1
        told["metadata"]["resourceVersion"] = str(self.version)

    # ---- the controllers' side

    def _settle(self, plural: str, told: Object) -> None:
        for _ in range(4):
            self._follow(plural, told)

    def _follow(self, plural: str, told: Object) -> None:
        """One step of its controller: first it sees the change, then its pods follow."""
        if plural not in KINDS:
            return
        status, spec = told["status"], told["spec"]
        generation = told["metadata"]["generation"]
        seen = int(status.get("observedGeneration", 0))
        if seen < generation:
            fresh = self._revised(plural, told)
            status["observedGeneration"] = str(generation) if plural == "rollouts" else generation
            status.pop("conditions", None)
            if fresh:
                status.update(updatedReplicas=0, availableReplicas=spec["replicas"])
        elif "broken" in json.dumps(spec["template"]):
            late = {"type": "Progressing", "reason": "ProgressDeadlineExceeded", "message": "late"}
            status.update(conditions=[late], phase="Degraded", message="late")
        else:
            self._ready(plural, told)
        self._written(told)

    def _ready(self, plural: str, told: Object) -> None:
        status, count = told["status"], told["spec"]["replicas"]
        named = ("replicas", "updatedReplicas", "availableReplicas", "readyReplicas")
        status.update(dict.fromkeys(named, count))
        status.update(
            desiredNumberScheduled=count, updatedNumberScheduled=count, numberAvailable=count
        )
        if plural == "statefulsets":
            status["currentRevision"] = status["updateRevision"]
        if plural == "rollouts":
            status["phase"] = "Healthy"
            steps = told["spec"].get("strategy", {}).get("canary", {}).get("steps", [])
            if status.get("stableRS") != status.get("currentPodHash") and steps:
                weight = next((one["setWeight"] for one in steps if "setWeight" in one), 0)
                status.update(phase="Paused", currentStepIndex=1)
                status["canary"] = {"weights": {"canary": {"weight": weight}}}

    def _revised(self, plural: str, told: Object) -> bool:
        """Keep its template as the newest revision; whether it is another than before."""
        by_controller = plural in ("statefulsets", "daemonsets")
        kind = "controllerrevisions" if by_controller else "replicasets"
        meta, template = told["metadata"], told["spec"]["template"]
        mine = [
            one
            for (what, _, _), one in self.objects.items()
            if what == kind and one["metadata"]["ownerReferences"][0]["uid"] == meta["uid"]
        ]
        number = 1 + max((one["revision"] for one in mine), default=0)
        same = next((one for one in mine if one["template"] == template), None)
        if same is not None and same["revision"] == number - 1:
            return False
        if same is None:
            same = self._kept(kind, told, number)
        same["revision"] = number
        if by_controller:
            told["status"]["updateRevision"] = same["metadata"]["name"]
        else:
            note = REVISION[plural]
            same["metadata"]["annotations"] = {note: str(number)}
            meta.setdefault("annotations", {})[note] = str(number)
        return True

    def _kept(self, kind: str, told: Object, number: int) -> Object:
        meta, template = told["metadata"], deepcopy(told["spec"]["template"])
        made: Object = {
            "metadata": {
                "name": f"{meta['name']}-{number:05x}",
                "namespace": meta["namespace"],
                "labels": {"app": meta["name"]},
                "ownerReferences": [{"uid": meta["uid"], "kind": told["kind"]}],
            },
            "template": template,
        }
        if kind == "controllerrevisions":
            made["data"] = {"spec": {"template": {**template, "$patch": "replace"}}}
        else:
            labels = {**template["metadata"]["labels"], HASH: f"{number:05x}"}
            inner = {**template["metadata"], "labels": labels}
            made["spec"] = {"template": {**template, "metadata": inner}}
        return self.put(kind, made)


def _apply(told: Object, op: Object) -> None:
    """One operation of a JSON Patch: add or replace."""
    *parents, last = [one.replace("~1", "/") for one in op["path"].strip("/").split("/")]
    place: Any = told
    for key in parents:
        if isinstance(place, list):
            place = place[int(key)]
        elif key not in place:
            raise Refusal(422, f"the server rejected our request: no {op['path']}")
        else:
            place = place[key]
    place[last] = op["value"]


@contextmanager
def served(cluster: EmulatedCluster, folder: Path, *, token: str = TOKEN) -> Iterator[Path]:
    """The kubeconfig of the cluster while it is served over HTTP."""

    class Asked(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            bearer = self.headers.get("Authorization", "").removeprefix("Bearer ")
            status, told = cluster.answer(self.command, self.path, body, bearer)
            content = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            if status == 429:
                self.send_header("Retry-After", "0.01")
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PATCH = do_POST = _any  # noqa: N815 - names that the library calls

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Asked)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield kubeconfig(folder, f"http://127.0.0.1:{server.server_address[1]}", token)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def kubeconfig(folder: Path, url: str, token: str) -> Path:
    path = folder / "kubeconfig"
    told = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": url}}],
        "users": [{"name": "ann", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "ann"}}],
    }
    path.write_text(yaml.safe_dump(told))
    return path
