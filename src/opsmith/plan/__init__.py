"""plan: takes a Task or an Incident, gives a Plan; judge takes a Plan, gives a verdict."""
