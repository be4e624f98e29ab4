"""sign: who vouches for the ledger, one algorithm a file."""
