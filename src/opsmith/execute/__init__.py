"""execute: takes an ApprovedPlan, gives an Outcome; verifies each step, undoes what failed."""
