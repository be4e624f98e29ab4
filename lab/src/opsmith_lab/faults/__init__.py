"""The faults, one file each; `table` lists them."""
