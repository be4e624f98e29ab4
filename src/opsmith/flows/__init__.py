"""The streets, one file each: they call rooms and hand nouns from one to the next."""
