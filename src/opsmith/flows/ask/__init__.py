"""ask: tasks of a sentence -> their answers, each by its owner."""
