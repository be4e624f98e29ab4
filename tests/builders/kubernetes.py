"""The lists of a Kubernetes API server on a loopback port: no server is to be had as a package.

It answers what opsmith asks: ReplicaSets, events and Argo Rollouts, in pages, to one token.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import yaml

from builders.http import serving

TOKEN = "t0ken"


class Cluster:
    """Objects by the path of their list; `failing` is a status for every answer."""

    def __init__(self, **lists: list[object]) -> None:
        self.lists = {
            "/apis/apps/v1/replicasets": lists.get("replicasets", []),
            "/api/v1/events": lists.get("events", []),
        }
        if "rollouts" in lists:
            self.lists["/apis/argoproj.io/v1alpha1/rollouts"] = lists["rollouts"]
        self.failing = 0
        self.page = 500

    def answer(self, path: str, headers: Mapping[str, str]) -> tuple[int, object]:
        if headers.get("Authorization") != f"Bearer {TOKEN}":
            return 401, {"kind": "Status", "code": 401}
        if self.failing:
            return self.failing, {"kind": "Status", "code": self.failing}
        parts = urlsplit(path)
        whole = parts.path.replace("/namespaces/shop", "")
        if whole not in self.lists:
            return 404, {"kind": "Status", "code": 404}
        asked = parse_qs(parts.query)
        start = int(asked.get("continue", ["0"])[0])
        end = start + min(self.page, int(asked["limit"][0]))
        items = self.lists[whole]
        more = {"continue": str(end)} if end < len(items) else {}
        return 200, {"kind": "List", "metadata": more, "items": items[start:end]}


def replica_set(
    name: str, owner: str, revision: str, image: str, at: str, *, kind: str = "Deployment"
) -> dict[str, object]:
    argo = kind == "Rollout"
    key = "rollout.argoproj.io/revision" if argo else "deployment.kubernetes.io/revision"
    return {
        "metadata": {
            "name": name,
            "creationTimestamp": at,
            "annotations": {key: revision},
            "ownerReferences": [
                {"apiVersion": "apps/v1", "kind": kind, "name": owner, "uid": "1"}
            ],
        },
        "spec": {
            "selector": {"matchLabels": {"app": owner}},
            "template": {"spec": {"containers": [{"name": "main", "image": image}]}},
        },
    }


def event(kind: str, name: str, reason: str, message: str, at: str) -> dict[str, object]:
    return {
        "metadata": {"name": f"{name}.1", "namespace": "shop"},
        "involvedObject": {"kind": kind, "name": name, "namespace": "shop"},
        "reason": reason,
        "message": message,
        "firstTimestamp": at,
    }


@contextmanager
def served(cluster: Cluster, folder: Path, *, token: str = TOKEN) -> Iterator[Path]:
    """The kubeconfig of `cluster` while it is served."""

    def answer(path: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
        status, told = cluster.answer(path, headers)
        return status, json.dumps(told).encode()

    with serving(answer) as url:
        yield _kubeconfig(folder, url, token)


def _kubeconfig(folder: Path, url: str, token: str) -> Path:
    path = folder / "kubeconfig"
    path.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "test",
                "clusters": [
                    {
                        "name": "test",
                        "cluster": {"server": url},
                    }
                ],
                "users": [{"name": "ann", "user": {"token": token}}],
                "contexts": [{"name": "test", "context": {"cluster": "test", "user": "ann"}}],
            }
        )
    )
    return path
