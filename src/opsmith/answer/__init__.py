"""answer: takes a checked Task and what was looked up for it, gives the words of an Answer."""
