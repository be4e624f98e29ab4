"""explain: takes a Diagnosis and its Recording, gives a Report that shows its evidence."""
