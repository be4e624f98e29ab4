"""What all tests share: properties are checked without a deadline, since kernels compile first."""

from hypothesis import settings

settings.register_profile("house", deadline=None)
settings.load_profile("house")
