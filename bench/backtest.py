"""Rows a second of backtests, with and without a market maker, and the time from order to accepted.

A row is one changed level of the book or one trade, as hftbacktest counts them; our tickers are
played too and not counted. Ours is `Engine::step` of live trading with every risk check, and a
simulated venue: fees, delays of 200 µs each way, place in the queue. hftbacktest (its faster book,
the one of ticks in a vector) gets the same rows at the same times, the same delays, fees and queue
model, and partial fills. Both are given decoded data in memory. Both makers keep a quote on each
side, 8 ppm from the middle, moved when it is 6 ppm off; ours looks at every change of the book,
theirs every 10 ms, which is how it is used there and is less work. Without a strategy theirs only
lets 10 ms pass after 10 ms. The time from order to accepted is with no simulated delay: nothing
else happens in between. Without the recorded session ours plays a synthetic one, alone.
"""

import importlib.util
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from prunella.evaluation.bench import Latency, Rate, latency
from prunella.exchange.session import write_session
from prunella.trading.backtest import Backtest, Fees, Queue, VenueBehaviour
from prunella.trading.backtest import Latency as Delay
from prunella.trading.execution import VenueLimits
from prunella.trading.runtime import TradingSettings
from prunella.trading.strategy import MarketMaker
from prunella.values.recording import Recording

DATA = Path(os.environ.get("PRUNELLA_DATA", "../shared/data")) / "market"
PASSES, QUICK_PASSES = 15, 2
"""The best of them is shown: what else runs on the machine only ever adds."""
SYNTHETIC_S, QUICK_SYNTHETIC_S = 600, 30
HALF_SPREAD_PPM, REQUOTE_PPM = 8, 6
MAKER_PPM, TAKER_PPM = 100, 400
DELAY_NS = 200_000
STEP_NS = 10_000_000
TICK, LOT, SIZE = 0.1, 0.001, 0.01
NEAR = 0.2
"""How far from the first price their book reaches, as a share of it."""
BUY, POST_ONLY, LIMIT, WAIT = 1, 1, 0, False
"""As hftbacktest numbers them."""
NAMES = {False: "rows, no strategy", True: "rows, market maker"}
GOALS = {False: "≥ 25,000,000/s", True: "≥ 15,000,000/s"}
Rows = npt.NDArray[np.void]


def figures(*, quick: bool) -> Iterable[Latency | Rate]:
    """Ours and theirs, on the recorded session where there is one."""
    files = sorted(DATA.glob("binance_usdm_btcusdt_*.gz"))
    with tempfile.TemporaryDirectory() as folder:
        is_recorded = bool(files)
        if not is_recorded:
            files = [Path(folder) / "session"]
            write_session(files[0], seed=7, seconds=QUICK_SYNTHETIC_S if quick else SYNTHETIC_S)
        frames = [(ts_ns, json.loads(frame)) for ts_ns, frame in Recording(list(map(str, files)))]
        passes = QUICK_PASSES if quick else PASSES
        count = sum(len(of_frame(data.get("data", data))) for _, data in frames)
        cache = Path(folder)
        for is_making in NAMES:
            ours = best(partial(played, files, cache, is_making=is_making), passes)
            yield rate(is_making, "prunella", count / ours)
        yield accepted(files, cache, passes)
        if is_recorded and importlib.util.find_spec("hftbacktest"):
            table = theirs(frames)
            for is_making in NAMES:
                run = peer(table, is_making=is_making)
                run()  # Compiles.
                yield rate(is_making, "hftbacktest", len(table) / best(run, passes))


def rate(is_making: bool, system: str, per_second: float) -> Rate:  # noqa: FBT001  a key
    """One line."""
    goal = GOALS[is_making]
    return Rate(name=NAMES[is_making], goal=goal, per_second=per_second, system=system)


def best(run: Callable[[], float], passes: int) -> float:
    """The fewest seconds."""
    return min(run() for _ in range(passes))


def configuration(*, is_making: bool) -> bytes:
    """Our configuration, without a rate of orders that would hold the maker back."""
    limits = VenueLimits(order_rate_per_second=100_000, stale_after_ms=60_000)
    maker = MarketMaker(
        quantity=str(SIZE), half_spread_ppm=HALF_SPREAD_PPM, skew_ppm=0, requote_ppm=REQUOTE_PPM
    )
    config = TradingSettings(venues={"primary": limits}, strategies={"maker": maker}).core()
    if is_making:
        return config
    core = msgspec.json.decode(config)
    core["strategies"], core["limits"]["strategies"] = [], []
    return msgspec.json.encode(core)


def behaviour(delay_ns: int) -> VenueBehaviour:
    """The simulated venue."""
    delay = Delay(delays_ns=(delay_ns,))
    fees = Fees(maker_ppm=MAKER_PPM, taker_ppm=TAKER_PPM)
    return VenueBehaviour(
        fees=fees, send=delay, report=delay, queue=Queue(model="probabilistic", power=2)
    )


def played(files: list[Path], cache: Path, *, is_making: bool) -> float:
    """Seconds of one run of ours, without the reading of the data."""
    config = configuration(is_making=is_making)
    result = Backtest({"primary": files}, config, behaviour=behaviour(DELAY_NS), cache=cache).run()
    if is_making and not len(result.fills):
        raise SystemExit("the market maker did not trade")
    return result.run_s


def accepted(files: list[Path], cache: Path, passes: int) -> Latency:
    """From the core's order to its knowing that the venue has taken it."""
    times: list[int] = []
    config = configuration(is_making=True)
    for _ in range(passes):
        run = Backtest({"primary": files}, config, behaviour=behaviour(0), cache=cache)
        times += run.run(is_measured=True).accept_ns.tolist()
    return latency("order to accepted", times, goal="≤ 1 µs")


def of_frame(data: dict[str, Any]) -> list[tuple[int, str, str]]:
    """Kind, price, quantity of each row: 0 bid, 1 ask, 2 bought, 3 sold; 4, 5 of a snapshot."""
    if "lastUpdateId" in data:
        return [(at + 4, *row) for at, side in enumerate(("bids", "asks")) for row in data[side]]
    if data.get("e") == "depthUpdate":
        return [(at, *row) for at, side in enumerate("ba") for row in data[side]]
    if data.get("e") == "trade":
        return [(3 if data["m"] else 2, data["p"], data["q"])]
    return []


def theirs(frames: list[tuple[int, dict[str, Any]]]) -> Rows:
    """The same rows as their table, each seen by the venue and by us at the time of receipt."""
    import hftbacktest as hft  # noqa: PLC0415  an extra

    told = (hft.DEPTH_EVENT, hft.TRADE_EVENT, hft.DEPTH_SNAPSHOT_EVENT)
    kinds = [kind for kind in told for _ in range(2)]
    sides = (hft.BUY_EVENT, hft.SELL_EVENT) * 3
    both = hft.EXCH_EVENT | hft.LOCAL_EVENT
    rows = []
    has_book = False
    for ts_ns, frame in frames:
        data = frame.get("data", frame)
        # Changes before the snapshot are in it.
        has_book = has_book or "lastUpdateId" in data
        if has_book:
            rows += [
                (both | kinds[at] | sides[at], ts_ns, ts_ns, float(price), float(size), 0, 0, 0)
                for at, price, size in of_frame(data)
            ]
    table: Rows = np.array(rows, dtype=hft.event_dtype)
    return table


def waits(hbt: Any) -> None:
    """Their run without a strategy."""
    while hbt.elapse(STEP_NS) == 0:
        pass


def makes(hbt: Any) -> None:
    """Their market maker."""
    number = 0
    while hbt.elapse(STEP_NS) == 0:
        hbt.clear_inactive_orders(0)
        depth = hbt.depth(0)
        middle = (depth.best_bid + depth.best_ask) / 2
        if not middle > 0:
            continue
        half, off = middle * HALF_SPREAD_PPM / 1e6, middle * REQUOTE_PPM / 1e6
        bid, ask = np.floor((middle - half) / TICK) * TICK, np.ceil((middle + half) / TICK) * TICK
        has_bid, has_ask = False, False
        orders = hbt.orders(0).values()
        while orders.has_next():
            order = orders.get()
            is_bid = order.side == BUY
            has_bid, has_ask = has_bid or is_bid, has_ask or not is_bid
            if order.cancellable and abs(order.price - (bid if is_bid else ask)) > off:
                hbt.cancel(0, order.order_id, WAIT)
        if not has_bid:
            number += 1
            hbt.submit_buy_order(0, number, bid, SIZE, POST_ONLY, LIMIT, WAIT)
        if not has_ask:
            number += 1
            hbt.submit_sell_order(0, number, ask, SIZE, POST_ONLY, LIMIT, WAIT)


def peer(table: Rows, *, is_making: bool) -> Callable[[], float]:
    """One run of theirs, in seconds, without making the backtest."""
    import hftbacktest as hft  # noqa: PLC0415  an extra
    from numba import njit  # noqa: PLC0415  an extra

    first = float(table["px"][0])
    play = njit(makes if is_making else waits)

    def run() -> float:
        asset = (
            hft.BacktestAsset()
            .data([table])
            .linear_asset(1.0)
            .constant_order_latency(DELAY_NS, DELAY_NS)
            .power_prob_queue_model(2.0)
            .partial_fill_exchange()
            .trading_value_fee_model(MAKER_PPM / 1e6, TAKER_PPM / 1e6)
            .tick_size(TICK)
            .lot_size(LOT)
            .roi_lb(first * (1 - NEAR))
            .roi_ub(first * (1 + NEAR))
            .last_trades_capacity(0)
        )
        hbt = hft.ROIVectorMarketDepthBacktest([asset])
        begun = time.perf_counter()
        play(hbt)
        seconds = time.perf_counter() - begun
        is_trading = hbt.state_values(0).num_trades > 0
        hbt.close()
        if is_making and not is_trading:
            raise SystemExit("their market maker did not trade")
        return seconds

    return run
