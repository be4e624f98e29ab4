"""sandbox: programs confined by the kernel, with what this host has."""
