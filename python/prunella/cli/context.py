"""`Context`: what every service is wired with."""

from typing import NamedTuple

from prunella.config import Settings
from prunella.control.tokens import load_token
from prunella.values import Clock, Home


class Context(NamedTuple):
    """What every service is wired with."""

    name: str
    home: Home
    settings: Settings
    clock: Clock

    @property
    def port(self) -> int:
        """Its HTTP port."""
        return self.settings.ports()[self.name]

    @property
    def read_token(self) -> str:
        """What its /metrics and /status want to see."""
        return load_token(self.home.key("read.token"))
