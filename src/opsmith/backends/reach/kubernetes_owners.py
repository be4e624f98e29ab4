"""Who keeps an object as it is: Argo CD, Flux, Helm or another controller, and by what it shows.

A live change of such an object is undone at the next reconciliation, or lost at the next release.
Sources: Argo CD, "Resource Tracking"; Flux, kustomize-controller and helm-controller labels; Helm,
"labels and annotations" of releases; Kubernetes, `managedFields` and owner references.
"""

from __future__ import annotations

from dataclasses import dataclass

from opsmith.backends.reach.kubernetes_api import (
    ClusterApi,
    Kind,
    Told,
    fields_of,
    items,
    text_of,
)
from opsmith.errors import OpsmithError

ARGO_CD = "Argo CD application"
KUSTOMIZATION = "Flux Kustomization"
HELM_RELEASE = "Flux HelmRelease"
HELM = "Helm release"

_TRACKING = "argocd.argoproj.io/tracking-id"
_ARGO_LABEL = "argocd.argoproj.io/instance"
_INSTANCE = "app.kubernetes.io/instance"
_FLUX = (
    ("kustomize.toolkit.fluxcd.io", KUSTOMIZATION),
    ("helm.toolkit.fluxcd.io", HELM_RELEASE),
)
# Field managers by which these tools write; those of a person are `kubectl…` or a browser's.
_WRITERS = {
    "argocd-controller": ARGO_CD,
    "argocd-application-controller": ARGO_CD,
    "kustomize-controller": KUSTOMIZATION,
    "helm-controller": HELM_RELEASE,
    "helm": HELM,
}
_SOURCES = {
    ARGO_CD: Kind(
        group="argoproj.io", version="v1alpha1", plural="applications", name="Application"
    ),
    KUSTOMIZATION: Kind(
        group="kustomize.toolkit.fluxcd.io",
        version="v1",
        plural="kustomizations",
        name="Kustomization",
    ),
    HELM_RELEASE: Kind(
        group="helm.toolkit.fluxcd.io", version="v2", plural="helmreleases", name="HelmRelease"
    ),
}
# Where Argo CD lives unless somebody chose otherwise.
_ARGO_NAMESPACE = "argocd"


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Who keeps an object. shown: what tells so. namespace: of the tool's own object, if any."""

    tool: str
    name: str
    shown: str
    namespace: str = ""

    def __str__(self) -> str:
        return f"{f'{self.tool} {self.name}'.strip()} ({self.shown})"


def owner_of(told: Told) -> Owner | None:
    """Who keeps this object, None for nobody but people.

    What Flux was told to leave alone (`reconcile: disabled`) is a person's until that is undone.
    """
    meta = fields_of(told, "metadata")
    labels, notes = fields_of(meta, "labels"), fields_of(meta, "annotations")
    if any(text_of(notes.get(f"{prefix}/reconcile")) == "disabled" for prefix, _ in _FLUX):
        return _controlled(meta)
    writers = {text_of(one.get("manager")) for one in items(meta.get("managedFields"))}
    return (
        _argo(labels, notes, writers)
        or _flux(labels)
        or _helm(labels, notes)
        or _written(writers)
        or _controlled(meta)
    )


async def source_of(api: ClusterApi, owner: Owner) -> str:
    """Where the owner takes the object from, as far as the account may see it; else nothing."""
    kind = _SOURCES.get(owner.tool)
    if kind is None or not owner.name:
        return ""
    try:
        told = await api.get(kind, owner.namespace, owner.name)
    except OpsmithError:
        return ""
    spec = fields_of(told, "spec")
    source = fields_of(spec, "source") or next(iter(items(spec.get("sources"))), {})
    chart = fields_of(spec, "chart", "spec")
    reference = fields_of(spec, "sourceRef") or fields_of(chart, "sourceRef")
    parts = [
        text_of(source.get("repoURL"))
        or " ".join(filter(None, map(text_of, (reference.get("kind"), reference.get("name"))))),
        _said("path", source.get("path") or spec.get("path")),
        _said("at", source.get("targetRevision")),
        _said("chart", source.get("chart") or chart.get("chart")),
    ]
    return ", ".join(one for one in parts if one)[:300]


def _argo(labels: Told, notes: Told, writers: set[str]) -> Owner | None:
    tracked = text_of(notes.get(_TRACKING))
    if tracked:
        # `[namespace_]application:group/kind:namespace/name`
        place, _, name = tracked.partition(":")[0].rpartition("_")
        return _argo_application(name, f"annotation {_TRACKING}", place)
    if text_of(labels.get(_ARGO_LABEL)):
        return _argo_application(text_of(labels[_ARGO_LABEL]), f"label {_ARGO_LABEL}", "")
    # Charts put the other label on too, so that it says something only beside Argo's own hand.
    hand = next((one for one in sorted(writers) if _WRITERS.get(one) == ARGO_CD), "")
    if hand:
        return _argo_application(text_of(labels.get(_INSTANCE)), f"field manager {hand}", "")
    return None


def _argo_application(name: str, shown: str, place: str) -> Owner:
    return Owner(tool=ARGO_CD, name=name, shown=shown, namespace=place or _ARGO_NAMESPACE)


def _flux(labels: Told) -> Owner | None:
    for prefix, tool in _FLUX:
        name = text_of(labels.get(f"{prefix}/name"))
        if name:
            place = text_of(labels.get(f"{prefix}/namespace"))
            return Owner(tool=tool, name=name, shown=f"label {prefix}/name", namespace=place)
    return None


def _helm(labels: Told, notes: Told) -> Owner | None:
    release = text_of(notes.get("meta.helm.sh/release-name"))
    if text_of(labels.get("app.kubernetes.io/managed-by")) != "Helm" or not release:
        return None
    place = text_of(notes.get("meta.helm.sh/release-namespace"))
    shown = "annotation meta.helm.sh/release-name"
    return Owner(tool=HELM, name=release, shown=shown, namespace=place)


def _written(writers: set[str]) -> Owner | None:
    for one in sorted(writers):
        if one in _WRITERS:
            return Owner(tool=_WRITERS[one], name="", shown=f"field manager {one}")
    return None


def _controlled(meta: Told) -> Owner | None:
    for one in items(meta.get("ownerReferences")):
        if one.get("controller") is True:
            kind, name = text_of(one.get("kind")), text_of(one.get("name"))
            return Owner(tool=kind, name=name, shown="its controller by owner reference")
    return None


def _said(word: str, value: object) -> str:
    return f"{word} {value}" if isinstance(value, str) and value else ""
