"""localise: takes a Recording, gives a Diagnosis. No clock, no disk, no network."""
