"""reach: the ways that lead to targets, one a file."""
