"""The sources file: where telemetry comes from, checked at the door.

Secrets stand in files of their own and are named here, so that this file may be shown.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from opsmith.flows.collect import CollectRules
from opsmith.ingest.collector import Budget
from opsmith.ingest.folding import FoldingRules
from opsmith.ingest.thinning import Step, ThinningRules
from opsmith.nouns.signals import ChangeKind
from opsmith.seams.wire import Access, Tls
from opsmith.wiring.yaml_door import checked

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
# RFC 9110, section 5.6.2: a token; and values without control characters.
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$")]
HeaderValue = Annotated[str, Field(pattern=r"^[\x20-\x7e]{0,4000}$")]


class Strict(BaseModel):
    """A part of the file; what nobody knows is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TlsShape(Strict):
    """TLS of one server."""

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    verify: bool = True

    @model_validator(mode="after")
    def _both_or_none(self) -> TlsShape:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file belong together")
        return self


class ServerShape(Strict):
    """One HTTP server and what it wants to see."""

    name: Name
    url: str = Field(pattern=r"^https?://[^\s]{1,2000}$")
    user: HeaderValue = ""
    password_file: Path | None = None
    token_file: Path | None = None
    tenant: HeaderValue = ""
    headers: dict[HeaderName, HeaderValue] = {}
    header_files: dict[HeaderName, Path] = {}
    params: dict[str, str] = {}
    tls: TlsShape = TlsShape()
    timeout_s: float = Field(default=30.0, gt=0, le=600)
    retries: int = Field(default=2, ge=0, le=10)

    @model_validator(mode="after")
    def _one_identity(self) -> ServerShape:
        if self.token_file is not None and self.user:
            raise ValueError("user and token_file exclude each other")
        if self.password_file is not None and not self.user:
            raise ValueError("password_file needs a user")
        return self

    def access(self) -> Access:
        """The same as a value of the house; a tenant is Mimir's and Loki's `X-Scope-OrgID`."""
        tenant = (("X-Scope-OrgID", self.tenant),) if self.tenant else ()
        return Access(
            url=self.url,
            user=self.user,
            password_file=self.password_file,
            token_file=self.token_file,
            headers=(*self.headers.items(), *tenant),
            header_files=tuple(self.header_files.items()),
            params=tuple(self.params.items()),
            tls=Tls(**self.tls.model_dump()),
            timeout_s=self.timeout_s,
            retries=self.retries,
        )


class FilesShape(Strict):
    """Log files of this machine."""

    name: Name
    kind: Literal["files"]
    paths: list[Annotated[str, Field(pattern=r"^/[^\x00]{1,1000}$")]] = Field(min_length=1)
    service: str = Field(default="", max_length=200)


class LokiShape(ServerShape):
    """A Loki server."""

    kind: Literal["loki"]
    service_label: str = Field(default="service_name", pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")
    selector: str = Field(default="", max_length=2_000)


class GitShape(Strict):
    """A folder that is a Git repository."""

    name: Name
    kind: Literal["git"]
    folder: Path
    entity: str
    change: ChangeKind = ChangeKind.DEPLOY
    tags: str = Field(default="", max_length=200)
    branch: str = Field(default="", max_length=200)
    paths: list[str] = Field(default=[], max_length=100)

    @model_validator(mode="after")
    def _something(self) -> GitShape:
        if not self.tags and not self.branch:
            raise ValueError("a repository needs `tags` or `branch`")
        return self


class KubernetesShape(Strict):
    """A Kubernetes cluster; without `kubeconfig` the one that opsmith runs in."""

    name: Name
    kind: Literal["kubernetes"]
    kubeconfig: Path | None = None
    context: str | None = None
    namespace: str = Field(default="", pattern=r"^[a-z0-9-]{0,63}$")


class CallMetricShape(Strict):
    """A counter of calls with a label for each end."""

    metric: str = Field(pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$")
    caller: str = Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")
    callee: str = Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")


class TopologyShape(Strict):
    """Who tells who calls whom, beside the metrics that are known and traces."""

    file: Path | None = None
    call_metrics: list[CallMetricShape] = Field(default=[], max_length=50)


class StepShape(Strict):
    """One step of sampling; without `up_to` it holds for every rate above."""

    up_to: float = Field(default=math.inf, gt=0)
    share: float = Field(gt=0, le=1)


class CollectorShape(Strict):
    """What is sampled, folded and held of spans and log records."""

    sampling: list[StepShape] = []
    window_s: float = Field(default=60.0, ge=1, le=3_600)
    most_values: int = Field(default=128, ge=1, le=100_000)
    buckets: int = Field(default=32, ge=1, le=10_000)
    keep: list[str] = []
    drop: list[str] = []
    dimensions: list[str] = Field(default=[], max_length=16)
    most_series: int = Field(default=50_000, ge=1, le=5_000_000)
    most_mib: int = Field(default=128, ge=1, le=65_536)

    @model_validator(mode="after")
    def _rates_rise(self) -> CollectorShape:
        bounds = [step.up_to for step in self.sampling]
        if bounds != sorted(set(bounds)) or (bounds and bounds[-1] != math.inf):
            raise ValueError("the steps of sampling need rates that rise, the last one none")
        return self

    def rules(self) -> CollectRules:
        """The same as values of the house."""
        steps = tuple(Step(up_to=one.up_to, share=one.share) for one in self.sampling)
        thinning = ThinningRules(window_s=self.window_s)
        folding = FoldingRules(most_values=self.most_values, buckets=self.buckets)
        return CollectRules(
            thinning=replace(thinning, steps=steps) if steps else thinning,
            folding=replace(
                folding, keep=folding.keep | set(self.keep), drop=frozenset(self.drop)
            ),
            budget=Budget(most_series=self.most_series, most_bytes=self.most_mib * 2**20),
            dimensions=tuple(self.dimensions),
        )


class SourcesShape(Strict):
    """The whole file."""

    metrics: list[ServerShape] = []
    logs: list[Annotated[FilesShape | LokiShape, Field(discriminator="kind")]] = []
    changes: list[Annotated[GitShape | KubernetesShape, Field(discriminator="kind")]] = []
    topology: TopologyShape = TopologyShape()
    collector: CollectorShape = CollectorShape()

    @model_validator(mode="after")
    def _names_once(self) -> SourcesShape:
        names = [one.name for one in (*self.metrics, *self.logs, *self.changes)]
        if len(set(names)) < len(names):
            raise ValueError("two sources have one name")
        return self


def read(path: Path | None) -> SourcesShape:
    """What a sources file says; nothing without a file.

    Raises `BadInput` with the place of the first thing that is wrong.
    """
    return SourcesShape() if path is None else checked(path, SourcesShape)
