"""audit: takes decisions, gives Records in a hash chain; reads them back and verifies."""
