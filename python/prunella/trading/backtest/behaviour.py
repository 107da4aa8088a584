"""How a simulated venue behaves: fees, delays and queues as a person writes them; records out."""

from collections.abc import Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Literal

import msgspec

from prunella.trading.market import at_least

_US = 1_000
_QUANTILES = 1_000
"""Entries of a distribution's table: its longest delay is the 99.95th percentile."""


class _Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of a record of this page."""


class Fees(_Record, frozen=True):
    """What trading costs, parts per million of price times quantity; negative is a rebate.

    Attributes:
        maker_ppm: Of the resting side. The default is that of a regular user of Binance spot.
        taker_ppm: Of the taking side.

    Example:
        >>> Fees.parse("100:400")
        Fees(maker_ppm=100, taker_ppm=400)
    """

    maker_ppm: int = 1_000
    taker_ppm: int = 1_000

    @classmethod
    def parse(cls, text: str) -> "Fees":
        """Reads `MAKER:TAKER` in parts per million.

        Raises:
            ValueError: Anything else; trying again cannot help.
        """
        try:
            maker, taker = (int(part) for part in text.split(":"))
        except ValueError:
            raise ValueError(
                "fees: expected MAKER:TAKER in whole parts per million, such as 100:400, "
                f"found {text!r}"
            ) from None
        return cls(maker_ppm=maker, taker_ppm=taker)


class Latency(_Record, frozen=True):
    """How long one message takes: each delay of a table is as likely as another.

    Attributes:
        delays_ns: The table; one entry is a constant.

    Example:
        >>> Latency.parse("250").delays_ns
        (250000,)
        >>> table = Latency.parse("200~2000").delays_ns
        >>> len(table), table[500] // 1000
        (1000, 200)
    """

    delays_ns: tuple[int, ...] = (5_000_000,)

    def __post_init__(self) -> None:
        """Refuses an empty table and delays into the past."""
        if not self.delays_ns:
            raise ValueError("latency: expected at least one delay, found none")
        at_least("latency", min(self.delays_ns), 0)

    @classmethod
    def parse(cls, text: str) -> "Latency":
        """Reads microseconds: `250`, `MEDIAN~P99` (log-normal), or `@FILE` with one a line.

        Raises:
            ValueError: Anything else; trying again cannot help.
        """
        if text.startswith("@"):
            return cls._samples(Path(text[1:]))
        try:
            median, _, p99 = text.partition("~")
            if not p99:
                return cls(delays_ns=(round(float(median) * _US),))
            return cls.log_normal(median_us=float(median), p99_us=float(p99))
        except (ValueError, ArithmeticError):
            raise ValueError(
                "latency: expected microseconds such as 250, MEDIAN~P99 with a P99 above the "
                f"median, or @FILE, found {text!r}"
            ) from None

    @classmethod
    def _samples(cls, file: Path) -> "Latency":
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"latency: {file}: cannot be read: {error}") from None
        delays = []
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                delays.append(round(float(line) * _US))
            except (ValueError, OverflowError):
                raise ValueError(
                    f"latency: {file}:{number}: expected microseconds, found {line.strip()!r}"
                ) from None
        return cls(delays_ns=tuple(delays))

    @classmethod
    def log_normal(cls, *, median_us: float, p99_us: float) -> "Latency":
        """The quantiles of a log-normal distribution with this median and 99th percentile.

        Raises:
            ValueError: Not 0 < median < p99; trying again cannot help.
        """
        if not 0 < median_us < p99_us:
            raise ValueError(f"latency: expected 0 < median < p99, found {median_us}, {p99_us}")
        normal = NormalDist()
        spread = (p99_us / median_us) ** (1 / normal.inv_cdf(99 / 100))
        at = (normal.inv_cdf((2 * index + 1) / (2 * _QUANTILES)) for index in range(_QUANTILES))
        return cls(delays_ns=tuple(round(median_us * _US * spread**each) for each in at))


class Queue(_Record, frozen=True):
    """Where quantity that is cancelled at our price is taken to have stood.

    Attributes:
        model: `conservative`: behind us, so that trades alone move us forward. `probabilistic`:
            on both sides, in proportion to the size of each to the power.
        power: Exponent; above 1 puts more of the cancelling into the larger part.
    """

    model: Literal["conservative", "probabilistic"] = "probabilistic"
    power: float = 2

    def raw(self) -> object:
        """The core's form."""
        if self.model == "conservative":
            return self.model
        return {"probabilistic": {"power": self.power}}


class VenueBehaviour(_Record, frozen=True):
    """How the simulated venues behave.

    Attributes:
        fees: What trading costs.
        fees_at: What it costs at venues where it costs something else, by the venue's name.
        send: From our decision to the venue.
        report: From the venue to us.
        feed_us: How much earlier the venue has the market data than we, microseconds: the times of
            a recording are those of its receiver.
        queue: Our place in the queue.
        seed: Of the delays: equal seeds give equal results to the byte.
        sample_ms: Time between two samples of the result.
    """

    fees: Fees = msgspec.field(default_factory=Fees)
    fees_at: dict[str, Fees] = msgspec.field(default_factory=dict)
    send: Latency = msgspec.field(default_factory=Latency)
    report: Latency = msgspec.field(default_factory=Latency)
    feed_us: int = 0
    queue: Queue = msgspec.field(default_factory=Queue)
    seed: int = 1
    sample_ms: int = 100

    def __post_init__(self) -> None:
        """Refuses times that run backwards."""
        at_least("feed_us", self.feed_us, 0)
        at_least("seed", self.seed, 0)
        at_least("sample_ms", self.sample_ms, 1)

    def raw(self, venues: Sequence[str], *, is_measured: bool = False) -> bytes:
        """The JSON that the core reads, for these venues.

        Raises:
            ValueError: Fees of a venue that is none of them; trying again cannot help.
        """
        for name in self.fees_at:
            if name not in venues:
                raise ValueError(f"fees: expected one of {', '.join(venues)}, found {name!r}")
        return msgspec.json.encode(
            {
                "fees": [self.fees_at.get(name, self.fees) for name in venues],
                "send": self.send.delays_ns,
                "report": self.report.delays_ns,
                "feed_ns": self.feed_us * _US,
                "queue": self.queue.raw(),
                "seed": self.seed,
                "sample_ns": self.sample_ms * _US * _US,
                "is_measured": is_measured,
            }
        )
