"""opsmith-lab: a real distributed shop with a fault injector, to live in and to record from."""
