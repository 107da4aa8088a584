"""What the doors of one exchange share."""

import dataclasses
from collections import Counter

from prunella.exchange.authentication import Authenticator
from prunella.exchange.behaviour import OrderPath
from prunella.exchange.calls import Calls
from prunella.exchange.clock import VenueClock
from prunella.exchange.limits import Limits
from prunella.exchange.public_socket import Sockets
from prunella.exchange.settings import ExchangeSettings
from prunella.exchange.venue import Venue


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The exchange behind its doors; `requests` counts answers by path and status."""

    settings: ExchangeSettings
    clock: VenueClock
    venue: Venue
    calls: Calls
    authenticator: Authenticator
    limits: Limits
    path: OrderPath
    sockets: Sockets
    requests: Counter[tuple[str, int]]
