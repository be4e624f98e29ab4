"""Changes on the timeline: what was altered shortly before the trouble began.

Source: most incidents follow a change (Beyer et al., Site Reliability Engineering, 2016,
ch. 8: about 70 % of outages are due to changes in a live system).
"""

from __future__ import annotations

import math

from opsmith.localise.findings import Findings
from opsmith.localise.scene import Scene
from opsmith.nouns.diagnosis import Channel, Evidence
from opsmith.nouns.entity import Entity

# A change right before the alarm weighs this many noise units, and half as much for every
# further ten minutes: enough to settle a doubt, too little to outvote what was measured.
FULL_STRENGTH = 3.0
HALF_LIFE_S = 600.0
# Clocks differ and an onset is dated to a sample only: so much later still counts as before.
SLACK_S = 15.0


def changes(scene: Scene) -> Findings:
    """How closely a change precedes the alarm; one that follows it tells nothing."""
    strength: dict[Entity, float] = {}
    evidence: dict[Entity, tuple[Evidence, ...]] = {}
    alarm_s = scene.periods.alarm_s if scene.periods else math.inf
    for change in sorted(scene.recording.changes, key=lambda one: one.at):
        ahead_s = alarm_s - change.at.timestamp()
        if not -SLACK_S <= ahead_s < math.inf:
            continue
        ahead_s = max(ahead_s, 0.0)
        # In order of time, so that the last change of an entity, the nearest, is told.
        found = FULL_STRENGTH * 0.5 ** (ahead_s / HALF_LIFE_S)
        strength[change.entity] = found
        version = f" to version {change.version}" if change.version else ""
        evidence[change.entity] = (
            Evidence(
                channel=Channel.CHANGE,
                claim=(
                    f"{change.kind} of {change.entity}{version} {ahead_s:.0f} s before the"
                    f" alarm: {change.summary}"
                ),
                strength=found,
                entity=change.entity,
                at=change.at,
            ),
        )
    return Findings(channel=Channel.CHANGE, strength=strength, evidence=evidence)
