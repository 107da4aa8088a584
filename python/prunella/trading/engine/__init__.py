"""Settings of venues, markets, risk and strategies in; the core's configuration out."""

import json
from collections.abc import Mapping, Sequence

import msgspec

from prunella.trading.engine.books import Replica, read_books
from prunella.trading.engine.replay import order_trails, replay
from prunella.trading.engine.session import SessionTimes, measure_session
from prunella.trading.execution import ExecutionSettings, VenueLimits
from prunella.trading.market import Instrument, positive
from prunella.trading.risk import LimitSettings, RiskSettings
from prunella.trading.strategy import StrategySettings

_TABLE_MAX = 255
_RECONCILE_EVERY_NS = 300_000_000_000


class MarketSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One instrument at one venue, with its limits.

    Attributes:
        venue: The venue's name.
        instrument: What is traded there.
        risk: What may be risked there.
        name: What the instrument is called at every venue; empty: its symbol.
    """

    venue: str
    name: str = ""
    instrument: Instrument
    risk: RiskSettings


def core_config(
    *,
    run: int,
    venues: Mapping[str, VenueLimits],
    markets: Sequence[MarketSettings],
    strategies: Mapping[str, StrategySettings],
    loss_max: str,
    execution: ExecutionSettings | None = None,
    limits: LimitSettings | None = None,
    reconcile_every_ns: int = _RECONCILE_EVERY_NS,
    data_only: Mapping[str, str] | None = None,
) -> bytes:
    """Settings in, the JSON of the core's `CoreConfig` out: raw integers, tables by index.

    A market's `name` says which markets are the same instrument.

    Args:
        run: Which run this is, part of every client order id: seconds since the epoch at the
            journal's first entry.
        venues: By name, in order; the first is the primary.
        markets: Instruments at venues.
        strategies: By name, in order.
        loss_max: Loss since the start of the run at which only reducing is allowed, in the
            account's currency, decimal text.
        execution: How orders are routed and kept; the defaults when not given.
        limits: Limits beyond those of single markets; without them there are none.
        reconcile_every_ns: Time between two comparisons with each venue; 0 for never.
        data_only: Venues of which only market data is used, with the decoder's name of their
            protocol; all others are traded with.

    Raises:
        ValueError: A market names a venue that is not there, a strategy an instrument that is not
            there, two markets are the same, or a table is empty or too long; trying again cannot
            help.
    """
    names = list(venues)
    for table, entries in (("venues", names), ("markets", markets), ("strategies", strategies)):
        if not 1 <= len(entries) <= _TABLE_MAX:
            raise ValueError(f"{table}: expected 1 to {_TABLE_MAX} entries, found {len(entries)}")
    if not 0 < run < 2**32:
        raise ValueError(f"run: expected 1 to {2**32 - 1}, found {run}")
    instruments = list(dict.fromkeys(market.name or market.instrument.symbol for market in markets))
    listed = [(market.venue, market.instrument.symbol) for market in markets]
    for each in listed:
        if listed.count(each) > 1:
            raise ValueError(f"markets: {each[1]!r} is there twice at venue {each[0]!r}")
    config: dict[str, object] = {
        "run": run,
        "venues": _venues(venues, data_only or {}),
        "instruments": instruments,
        "markets": [_market(names, instruments, market) for market in markets],
        "strategies": [
            _strategy(name, kind, instruments=instruments) for name, kind in strategies.items()
        ],
        "loss_max": positive("loss_max", loss_max),
        "execution": (execution or ExecutionSettings()).raw(names),
        "reconcile_every_ns": reconcile_every_ns,
    }
    if limits is not None:
        config["limits"] = limits.raw(
            venues=names,
            instruments=instruments,
            strategies=list(strategies),
            markets=_assets(markets),
            data_only=data_only or (),
        )
    return json.dumps(config, indent=2).encode()


def _venues(
    venues: Mapping[str, VenueLimits], data_only: Mapping[str, str]
) -> list[dict[str, object]]:
    primary = next(iter(venues))
    if primary in data_only:
        raise ValueError(
            f"venues: the first is the primary, which is traded with; of {primary!r} only market "
            "data is used"
        )
    return [limits.raw(name, protocol=data_only.get(name, "")) for name, limits in venues.items()]


def _assets(markets: Sequence[MarketSettings]) -> dict[str, tuple[str, str]]:
    """Base and quote currency by `venue.SYMBOL`."""
    return {
        f"{each.venue}.{each.instrument.symbol}": (each.instrument.base, each.instrument.quote)
        for each in markets
    }


def _strategy(name: str, kind: StrategySettings, *, instruments: list[str]) -> dict[str, object]:
    for each in kind.instruments:
        if each not in instruments:
            raise ValueError(
                f"strategies.{name}.instruments: expected some of {instruments}, found {each!r}"
            )
    traded = [instruments.index(each) for each in kind.instruments]
    return {"name": name, "kind": kind.raw(), "instruments": traded}


def _market(venues: list[str], instruments: list[str], market: MarketSettings) -> dict[str, object]:
    if market.venue not in venues:
        raise ValueError(f"markets: expected one of the venues {venues}, found {market.venue!r}")
    instrument, risk = market.instrument, market.risk
    lot = positive("lot", instrument.lot)
    for name in ("quantity_min", "quantity_max"):
        if positive(name, getattr(risk, name)) % lot:
            found = getattr(risk, name)
            raise ValueError(f"{name}: expected a multiple of {instrument.lot}, found {found}")
    return {
        "venue": venues.index(market.venue),
        "instrument": instruments.index(market.name or market.instrument.symbol),
        "symbol": instrument.symbol,
        "base": instrument.base,
        "quote": instrument.quote,
        "tick": positive("tick", instrument.tick),
        "lot": lot,
        **risk.raw(),
    }


__all__ = [
    "MarketSettings",
    "Replica",
    "SessionTimes",
    "core_config",
    "measure_session",
    "order_trails",
    "read_books",
    "replay",
]
