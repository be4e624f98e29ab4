#!/usr/bin/env python3
"""Make the real servers that tests and the lab need available: see `opsmith_lab.components`."""

import sys

from opsmith_lab import components, machine

sys.exit(components.main() or machine.main())
