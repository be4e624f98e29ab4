"""localise: takes a Recording, gives a Diagnosis. No clock, no disk, no network."""

from opsmith.localise.diagnose import localise

__all__ = ["localise"]
