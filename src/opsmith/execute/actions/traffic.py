"""traffic.shift: how much of a service's traffic one of its destinations takes."""

from __future__ import annotations

from opsmith.execute.action import ActionSpec
from opsmith.execute.actions.kubernetes import SHIFT, OnCluster, inputs
from opsmith.nouns.entity import EntityKind
from opsmith.nouns.task import Risk

SHIFT_TRAFFIC = OnCluster(
    spec=ActionSpec(
        name="traffic.shift",
        title="Send a share of a service's traffic to one of its destinations",
        risk=Risk.CHANGE,
        targets=frozenset({EntityKind.SERVICE}),
        inputs=inputs(
            {
                **SHIFT,
                "namespace": {
                    "type": "string",
                    "pattern": "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$",
                },
            },
            required=("weight",),
        ),
        rights="to get and patch the VirtualService, HTTPRoute or Rollout of the service",
        undo="gives every destination the weight that it had",
        deadline_s=120.0,
    ),
    holds="traffic",
)
