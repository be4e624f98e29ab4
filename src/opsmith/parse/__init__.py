"""parse: takes words, gives Task, Clarify or Refused."""
