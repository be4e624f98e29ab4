"""execute: takes an ApprovedPlan, gives an Outcome; verify and undo."""
