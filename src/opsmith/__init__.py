"""opsmith: AI-driven operations on one machine or many. The library face."""

from opsmith.errors import AskError, HouseError, OpsmithError, WorldError

__all__ = ["AskError", "HouseError", "OpsmithError", "WorldError", "__version__"]

__version__ = "0.1.0"
