"""What all tests share: generated examples are checked for behaviour, never for time."""

from hypothesis import settings

settings.register_profile("prunella", deadline=None)
settings.load_profile("prunella")
