"""Backtests of recorded and of small written markets: fills, fees, queues, reports, replays."""

import json
import os
from pathlib import Path

import msgspec
import numpy as np
import pytest
from prunella.cli.backtest import (
    changed_config,
    combinations,
    config_for,
    parse_behaviour,
    read_data,
    settings_of,
    with_parameters,
)
from prunella.errors import ConfigError, RecordingError, UsageError
from prunella.exchange.session import write_session
from prunella.trading.backtest import (
    Backtest,
    BacktestResult,
    Fees,
    Latency,
    Queue,
    VenueBehaviour,
    compare,
    replay_session,
    write_report,
)
from prunella.trading.engine import measure_session
from prunella.trading.strategy.loading import load_strategy, place_of
from prunella.trading.strategy.user import Strategy

DATA = Path(os.environ.get("PRUNELLA_DATA", "../shared/data")) / "market"
ONE = 10**9
QUICK = VenueBehaviour(
    fees=Fees(maker_ppm=100, taker_ppm=400),
    send=Latency(delays_ns=(200_000,)),
    report=Latency(delays_ns=(200_000,)),
)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute of synthetic market."""
    path = tmp_path_factory.mktemp("session") / "session"
    write_session(path, seed=7, seconds=60.0)
    return path


def _run(
    path: Path, strategy: str = "maker", behaviour: VenueBehaviour = QUICK, **parameters: str
) -> BacktestResult:
    settings = with_parameters(settings_of(strategy), parameters)
    data = {"primary": [path]}
    return Backtest(data, config_for(settings, data), behaviour=behaviour).run()


def test_maker_on_a_session_trades_and_its_books_agree(session: Path) -> None:
    """Position, cash and fees of the result follow from its fills alone."""
    result = _run(session)
    fills = result.fills
    assert len(fills) > 0
    assert (fills["is_maker"] == 1).all(), "the maker's quotes never take"
    sign = np.where(fills["sells"] == 1, -1, 1)
    position = np.cumsum(sign * fills["quantity"])
    assert (position == fills["position"]).all()
    cash = -sum(
        int(s) * int(p) * int(q)
        for s, p, q in zip(sign, fills["price"], fills["quantity"], strict=True)
    )
    last = result.samples[-1]
    profit = (cash + int(last["mark"]) * int(position[-1])) // ONE - int(fills["fee"].sum())
    assert abs(profit - int(last["profit"])) <= 1
    expected = [
        int(p) * int(q) // ONE * 100 // 10**6
        for p, q in zip(fills["price"], fills["quantity"], strict=True)
    ]
    assert fills["fee"].tolist() == expected


def test_same_seed_gives_the_same_bytes_and_another_seed_other_ones(session: Path) -> None:
    """A distribution of delays is drawn from the seed and from nothing else."""
    spread = Latency.log_normal(median_us=2_000, p99_us=40_000)
    drawn = msgspec.structs.replace(QUICK, send=spread, report=spread)
    one, again = (json.dumps(_run(session, behaviour=drawn).summary()) for _ in range(2))
    assert one == again
    other = _run(session, behaviour=msgspec.structs.replace(drawn, seed=2))
    assert json.dumps(other.summary()) != one


def test_later_orders_and_a_worse_queue_fill_less(session: Path) -> None:
    """The conservative queue never fills more than the probabilistic one; delay costs fills."""
    at_once = _run(session)
    behind = _run(
        session, behaviour=msgspec.structs.replace(QUICK, queue=Queue(model="conservative"))
    )
    assert behind.statistics().turnover <= at_once.statistics().turnover
    slow = Latency(delays_ns=(150_000_000,))
    late = _run(session, behaviour=msgspec.structs.replace(QUICK, send=slow, report=slow))
    assert late.state_hash != at_once.state_hash


def test_momentum_takes_and_pays_the_takers_fee(session: Path) -> None:
    """Immediate orders take at the best price or worse, and what is left of them expires."""
    result = _run(session, "momentum", trigger_ppm="2", cooldown_ms="100")
    assert len(result.fills) > 0
    assert (result.fills["is_maker"] == 0).all()
    assert result.statistics().fees > 0


def test_cache_gives_the_same_run_and_a_damaged_one_is_not_used(
    session: Path, tmp_path: Path
) -> None:
    """A flipped bit in the cache costs a new decoding, never a wrong result."""
    data = {"primary": [session]}
    config = config_for(settings_of("maker"), data)
    hashes = []
    for step in range(3):
        result = Backtest(data, config, behaviour=QUICK, cache=tmp_path).run()
        hashes.append(result.state_hash)
        (file,) = tmp_path.glob("*.events")
        if step == 1:
            content = bytearray(file.read_bytes())
            content[len(content) // 2] ^= 1
            file.write_bytes(content)
    assert len(set(hashes)) == 1


def test_recorded_session_is_reproduced_to_the_order(session: Path, tmp_path: Path) -> None:
    """Orders of a journaled session come out of its replay, with the recorded state hashes."""
    data = {"primary": [session]}
    config = config_for(settings_of("maker"), data)
    times = measure_session([str(session)], config=config, journal=tmp_path / "journal")
    recorded = replay_session(tmp_path / "journal")
    # A frame that causes two orders is timed once.
    assert len(recorded.orders) >= len(times.orders_ns) > 0
    again = replay_session(tmp_path / "journal")
    assert compare(recorded, again).is_equal
    assert recorded.state_hash == again.state_hash


def test_changed_parameter_of_a_recorded_session_is_explained(
    session: Path, tmp_path: Path
) -> None:
    """What-if on a journal: the first order that differs is told."""
    data = {"primary": [session]}
    config = config_for(settings_of("maker"), data)
    measure_session([str(session)], config=config, journal=tmp_path / "journal")
    recorded = replay_session(tmp_path / "journal")
    wider = changed_config(recorded.config, {"maker.half_spread_ppm": "30"})
    # `measure_session` journals frames without a snapshot of their own; the session carries one.
    result = Backtest({"primary": [tmp_path / "journal"]}, wider, behaviour=QUICK).run()
    difference = compare(recorded, result)
    assert not difference.is_equal
    assert "instead of" in difference.text


def test_report_stands_alone_and_json_round_trips(session: Path, tmp_path: Path) -> None:
    """The page loads nothing from elsewhere and names data and state by hash."""
    result = _run(session)
    page = tmp_path / "report.html"
    write_report(result, page, title="maker <1>")
    text = page.read_text(encoding="utf-8")
    assert "<h1>maker &lt;1&gt;</h1>" in text
    assert '<script src="http' not in text
    assert result.state_hash in text
    assert result.data_hashes[0] in text
    assert json.loads(json.dumps(result.summary()))["statistics"]["orders"] == len(result.orders)


def test_tables_have_the_rows_of_the_arrays(session: Path) -> None:
    """`to_polars` gives the same columns."""
    pytest.importorskip("polars")
    result = _run(session)
    tables = result.to_polars()
    assert tables["fills"].height == len(result.fills)
    assert tables["orders"]["price"].to_list() == result.orders["price"].tolist()


def test_mistakes_of_a_user_are_told_in_words(tmp_path: Path) -> None:
    """Each names what was found and what was expected."""
    with pytest.raises(UsageError, match="expected maker, momentum"):
        settings_of("marker")
    with pytest.raises(UsageError, match="found nothing"):
        read_data([str(tmp_path / "gone")], ["primary"])
    with pytest.raises(UsageError, match="fees: expected MAKER:TAKER"):
        parse_behaviour(fees="free", latency="1", queue="2", feed=0, seed=1)
    with pytest.raises(UsageError, match="queue: expected"):
        parse_behaviour(fees="1:2", latency="1", queue="0", feed=0, seed=1)
    with pytest.raises(ConfigError, match="expected exactly one of"):
        with_parameters(settings_of("maker"), {"spread": "1"})
    with pytest.raises(ConfigError, match="--param"):
        with_parameters(settings_of("maker"), {"half_spread_ppm": "wide"})
    start = tmp_path / "other"
    start.write_text('1 {"e":"trade","s":"ETHUSDT"}\n', encoding="utf-8")
    with pytest.raises(RecordingError, match="expected frames of BTCUSDT"):
        _run(start)
    assert len(list(combinations({"a": "1,2", "b": "3,4,5"}))) == 6


@pytest.mark.skipif(not DATA.is_dir(), reason="needs recorded market data in $PRUNELLA_DATA")
def test_recorded_market_is_traded_without_a_lost_book() -> None:
    """Eleven minutes of BTCUSDT in two files: no resync, no foreign order, fills on both sides."""
    files = sorted(DATA.glob("binance_spot_btcusdt_*.gz"))
    data = {"primary": files}
    result = Backtest(data, config_for(settings_of("maker"), data), behaviour=QUICK).run()
    assert set(result.fills["sells"].tolist()) == {0, 1}
    assert result.counts["reflexes"] == {}
    limit = 5 * ONE // 10
    assert np.abs(result.samples["position"]).max() <= limit


USER = """
import msgspec
from prunella.trading.strategy.user import ONE, Book, Fill, Strategy, Trade

class Parameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    many: int = 1

class Own(Strategy):
    Parameters = Parameters
    seen = None

    def on_start(self):
        self.seen = {"books": 0, "trades": 0, "fills": 0, "timers": 0}

    def on_book(self, book: Book):
        self.seen["books"] += 1
        if not book.orders and abs(book.position) < ONE // 10:
            for _ in range(self.parameters.many):
                self.buy(book.market, price=book.bid, quantity=ONE // 100)
        for order in book.orders:
            if order.price != book.bid:
                self.cancel(book.market, order.id)

    def on_trade(self, trade: Trade):
        self.seen["trades"] += 1

    def on_fill(self, fill: Fill):
        self.seen["fills"] += 1
        self.last = fill

    def on_timer(self, now_ns: int):
        self.seen["timers"] += 1

class Wrong(Strategy):
    def on_book(self, book: Book):
        return 1 // (book.bid - book.bid)
"""


@pytest.fixture
def user_file(tmp_path: Path) -> Path:
    """A file with strategies of a person."""
    path = tmp_path / "own.py"
    path.write_text(USER, encoding="utf-8")
    return path


def _user(session: Path, place: str, **parameters: str) -> tuple[BacktestResult, Strategy]:
    settings = settings_of(place)
    data = {"primary": [session]}
    strategy = load_strategy(place, parameters)
    name = place.rpartition(":")[2]
    run = Backtest(data, config_for(settings, data), behaviour=QUICK, strategies={name: strategy})
    return run.run(), strategy


def test_own_strategy_sees_everything_and_its_intents_are_checked(
    session: Path, user_file: Path
) -> None:
    """Books, trades, fills and time are told; orders and cancels go the way of all others."""
    result, strategy = _user(session, f"{user_file}:Own")
    seen = strategy.__dict__["seen"]
    assert min(seen.values()) > 0
    assert seen["fills"] == len(result.fills)
    assert (result.fills["sells"] == 0).all()
    assert result.counts["cancels"] > 0
    assert strategy.__dict__["last"].position == int(result.fills["position"][-1])
    assert _user(session, f"{user_file}:Own")[0].state_hash == result.state_hash


def test_flood_of_intents_opens_the_breaker_of_the_strategy_alone(
    session: Path, user_file: Path
) -> None:
    """More intents than allowed are refused with a code, and what rested is cancelled."""
    result, _ = _user(session, f"{user_file}:Own", many="300")
    assert result.counts["denied"]["STRATEGY_UNSOUND"] >= 300
    assert len(result.orders) < 300


def test_exception_of_an_own_strategy_is_told_with_its_line(session: Path, user_file: Path) -> None:
    """The file and the line that a person has to look at."""
    with pytest.raises(ZeroDivisionError) as raised:
        _user(session, f"{user_file}:Wrong")
    line = USER.splitlines().index("        return 1 // (book.bid - book.bid)") + 1
    assert f"own.py:{line}: ZeroDivisionError" in place_of(raised.value, str(user_file))


def test_place_of_an_own_strategy_that_is_none_is_told(user_file: Path, tmp_path: Path) -> None:
    """No file, no class, an error in it, a parameter that does not fit."""
    for place, wanted in (
        ("own", "expected path/to/file.py:ClassName"),
        (f"{tmp_path}/gone.py:Own", "found nothing"),
        (f"{user_file}:Gone", "expected a subclass of Strategy called Gone"),
    ):
        with pytest.raises(ConfigError, match=wanted):
            load_strategy(place)
    with pytest.raises(ConfigError, match="Own: "):
        load_strategy(f"{user_file}:Own", {"many": "few"})
    broken = tmp_path / "broken.py"
    broken.write_text("x = 1\nclass\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"broken.py:2: "):
        load_strategy(f"{broken}:Own")


ALL_OR_NOTHING = """
from prunella.trading.strategy.user import ONE, Book, Strategy

class Mine(Strategy):
    tried = 0

    def on_book(self, book: Book) -> None:
        size = ONE // 50
        if not book.orders and self.tried < 400:
            self.tried += 1
            if book.position > 0:
                self.sell(book.market, price=book.bid, quantity=size, life="all_or_nothing")
            else:
                self.buy(book.market, price=book.ask, quantity=size, life="all_or_nothing")
"""


def test_all_or_nothing_takes_what_is_there_whole_and_otherwise_nothing(
    session: Path, tmp_path: Path
) -> None:
    """Some find enough and some do not; none is filled in part."""
    file = tmp_path / "all.py"
    file.write_text(ALL_OR_NOTHING, encoding="utf-8")
    result, _ = _user(session, f"{file}:Mine")
    orders = {int(o["number"]): int(o["quantity"]) for o in result.orders}
    assert (result.orders["life"] == 3).all()
    filled: dict[int, int] = {}
    for fill in result.fills:
        number = int(fill["number"])
        filled[number] = filled.get(number, 0) + int(fill["quantity"])
    assert 0 < len(filled) < len(orders)
    assert all(orders[number] == quantity for number, quantity in filled.items())


def test_fees_may_differ_by_venue_and_delays_may_be_measured_ones(
    session: Path, tmp_path: Path
) -> None:
    """A venue's own fees are charged there; a file of delays is drawn from as it is."""
    samples = tmp_path / "delays"
    samples.write_text("100\n\n250.5\n", encoding="utf-8")
    told = parse_behaviour(
        fees="100:400,primary=0:0", latency=f"@{samples}", queue="2", feed=0, seed=1
    )
    assert told.send.delays_ns == (100_000, 250_500)
    result = _run(session, behaviour=told)
    assert len(result.fills) > 0
    assert (result.fills["fee"] == 0).all()
    samples.write_text("100\nsoon\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"delays:2: expected microseconds, found 'soon'"):
        parse_behaviour(fees="1:1", latency=f"@{samples}", queue="2", feed=0, seed=1)
    other = parse_behaviour(fees="elsewhere=1:1", latency="1", queue="2", feed=0, seed=1)
    with pytest.raises(ConfigError, match=r"expected one of primary.*found 'elsewhere'"):
        _run(session, behaviour=other)


@pytest.mark.skipif(not DATA.is_dir(), reason="needs recorded market data in $PRUNELLA_DATA")
@pytest.mark.parametrize("strategy", ["maker", "momentum"])
def test_venue_that_is_ahead_is_one_that_hears_later_and_answers_sooner(strategy: str) -> None:
    """Two ways to say the same; with the first the venue cannot read the core's book."""
    ahead_ns, delay_ns = 100_000_000, 200_000
    short = Latency(delays_ns=(delay_ns,))
    long = Latency(delays_ns=(delay_ns + ahead_ns,))
    ahead = VenueBehaviour(send=short, report=long, feed_us=ahead_ns // 1_000)
    later = VenueBehaviour(send=long, report=short)
    files = sorted(DATA.glob("binance_usdm_btcusdt_*.gz"))
    data = {"primary": files}
    config = config_for(settings_of(strategy), data)
    one, other = (Backtest(data, config, behaviour=each).run() for each in (ahead, later))
    assert len(one.fills) > 0
    assert one.fills.tobytes() == other.fills.tobytes()
    assert one.orders.tobytes() == other.orders.tobytes()
