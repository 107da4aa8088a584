"""`OtlpReceiver`: requests as they come in; whether they were taken, and batches of readings, out.

Who sends proves itself with a bearer token and names itself by `service.name`. It cannot speak
about our own components, the host or its processes: a name that is taken gets a prefix, so that
nobody can have the engine restarted by saying that it is down.
"""

import hmac
import threading
from collections.abc import Callable, Container
from typing import Literal

from prunella._core import OtlpIntake
from prunella.telemetry.catalogue import domain_of
from prunella.telemetry.reading import BATCH_MAX, Domain, Reading, Readings
from prunella.telemetry.settings import OtlpSettings
from prunella.values import Clock

Signal = Literal["metrics", "logs", "traces"]

SERIES_MAX = 20_000
"""Of all senders; further ones are refused until others have been silent for ten minutes."""
BODY_BYTES_MAX = 16 << 20
"""A larger request is refused; senders split theirs by thousands of points, a few hundred kB."""
_PREFIX = "otlp:"


class OtlpReceiver:
    """Takes requests from several threads and hands on what has changed.

    Args:
        settings: Whose agent sees what.
        reserved: Names of our own components.
        token: What senders prove themselves with.
        clock: The time.
        series_max: How many series of all senders there is room for.

    Attributes:
        taken: Points, records and spans taken.
        refused: Those for which there was no room.
        malformed: Requests that could not be read.
        unauthorised: Requests without the token.
    """

    def __init__(
        self,
        settings: OtlpSettings,
        *,
        reserved: Container[str],
        token: str,
        clock: Clock,
        series_max: int = SERIES_MAX,
    ) -> None:
        self._settings = settings
        self._reserved = reserved
        self._bearer = f"Bearer {token}".encode()
        self._clock = clock
        self._intake = OtlpIntake(series_max)
        self._walks: dict[Signal, Callable[[bytes, int], tuple[int, int]]] = {
            "metrics": self._intake.metrics,
            "logs": self._intake.logs,
            "traces": self._intake.traces,
        }
        self._generation = 0
        self._series: list[tuple[Domain, str, str, dict[str, str]]] = []
        self._count = threading.Lock()
        self.taken = 0
        self.refused = 0
        self.malformed = 0
        self.unauthorised = 0

    def is_known(self, authorization: str) -> bool:
        """Whether whoever says this may send; counts who may not."""
        known = hmac.compare_digest(authorization.encode(), self._bearer)
        if not known:
            with self._count:
                self.unauthorised += 1
        return known

    def take(self, signal: Signal, request: bytes) -> bytes:
        """Takes one export request; its answer, a partial success when not all had room.

        Raises:
            ValueError: It is no such request; trying again cannot help.
        """
        try:
            taken, refused = self._walks[signal](request, self._clock.now_ns())
        except ValueError:
            with self._count:
                self.malformed += 1
            raise
        with self._count:
            self.taken += taken
            self.refused += refused
        return _partial_success(refused) if refused else b""

    def readings(self) -> list[Readings]:
        """What has changed since the last call; for one thread, a few times a second."""
        generation, new, changes = self._intake.drain()
        if generation != self._generation:
            self._generation = generation
            self._series.clear()
        for entity, metric, pairs in new:
            self._series.append(self._placed(entity, metric, dict(pairs)))
        now_ns = self._clock.now_ns()
        by_domain: dict[Domain, list[Reading]] = {}
        for number, value, ts_ns in changes:
            domain, entity, metric, labels = self._series[number]
            by_domain.setdefault(domain, []).append(
                Reading(
                    metric=metric,
                    entity=entity,
                    value=value,
                    labels=labels,
                    ts_event_ns=min(ts_ns, 2**63 - 1),
                    ts_init_ns=now_ns,
                )
            )
        return [
            Readings(domain=domain, source="otlp", items=tuple(items[at : at + BATCH_MAX]))
            for domain, items in by_domain.items()
            for at in range(0, len(items), BATCH_MAX)
        ]

    def metrics(self) -> bytes:
        """Prometheus text."""
        return (
            f"otlp_taken_total {self.taken}\n"
            f"otlp_refused_total {self.refused}\n"
            f"otlp_malformed_total {self.malformed}\n"
            f"otlp_unauthorised_total {self.unauthorised}\n"
            f"otlp_series {len(self._series)}\n"
        ).encode()

    def _placed(
        self, entity: str, metric: str, labels: dict[str, str]
    ) -> tuple[Domain, str, str, dict[str, str]]:
        """Whose agent sees a series, and under which name."""
        settings = self._settings
        domain = domain_of(metric, labels) or settings.services.get(entity, settings.domain)
        if entity in self._reserved or entity == "host" or entity.startswith("pid:"):
            entity = _PREFIX + entity
        return domain, entity, metric, labels


def _partial_success(refused: int) -> bytes:
    r"""The answer `partial_success { rejected… = refused, error_message }`, alike for all three.

    Example:
        >>> _partial_success(3)[:4]
        b'\n\x1c\x08\x03'
    """
    message = b"too many series: no room"
    number = bytearray()
    while refused >= 0x80:
        number.append(refused & 0x7F | 0x80)
        refused >>= 7
    number.append(refused)
    inner = b"\x08" + bytes(number) + b"\x12" + bytes((len(message),)) + message
    return b"\x0a" + bytes((len(inner),)) + inner
