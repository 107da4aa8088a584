"""A client that others wrote (ccxt, unmodified) trades on the simulated exchange."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from exchange_process import API_KEY, SECRET, Exchange, running

ccxtpro = pytest.importorskip("ccxt.pro", reason="ccxt is not installed: make setup")
ccxt = pytest.importorskip("ccxt")

WAIT_S = 20
INSTRUMENTS = ("--instrument", "BTC/USDT:61500", "--instrument", "ETH/USDT:2500")


def client(exchange: Exchange) -> Any:
    """The client's Binance, pointed at ours by nothing but addresses."""
    binance = ccxtpro.binance(
        {
            "apiKey": API_KEY,
            "secret": SECRET,
            "enableRateLimit": False,
            "options": {
                "fetchMarkets": {"types": ["spot"]},
                "fetchCurrencies": False,
                "fetchMargins": False,
            },
        }
    )
    rest = f"http://127.0.0.1:{exchange.port}/api/v3"
    binance.urls["api"]["public"] = binance.urls["api"]["private"] = rest
    binance.urls["api"]["ws"]["spot"] = f"{exchange.ws_url}/ws"
    binance.urls["api"]["ws"]["ws-api"]["spot"] = f"{exchange.ws_url}/ws-api/v3"
    return binance


async def trading(exchange: Exchange) -> AsyncIterator[Any]:
    """A client with its markets loaded, closed at the end."""
    binance = client(exchange)
    try:
        await binance.load_markets()
        yield binance
    finally:
        await binance.close()


def session(exchange: Exchange, act: Callable[[Any], Awaitable[None]]) -> None:
    """Runs a client's session within a time limit."""

    async def run() -> None:
        async for binance in trading(exchange):
            await asyncio.wait_for(act(binance), WAIT_S)

    asyncio.run(run())


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An exchange with two instruments."""
    with running(tmp_path_factory.mktemp("ccxt"), *INSTRUMENTS) as ready:
        yield ready


def test_markets_load_with_their_filters(exchange: Exchange) -> None:
    """Both instruments, with steps, limits and currencies."""

    async def act(binance: Any) -> None:
        markets = {name: market for name, market in binance.markets.items() if market["spot"]}
        assert set(markets) == {"BTC/USDT", "ETH/USDT"}
        bitcoin = markets["BTC/USDT"]
        assert bitcoin["precision"] == {
            "amount": 0.00001,
            "price": 0.01,
            "base": 1e-8,
            "quote": 1e-8,
        }
        assert bitcoin["limits"]["cost"]["min"] == 5.0
        assert bitcoin["active"]

    session(exchange, act)


@pytest.mark.parametrize("symbol", ["BTC/USDT", "ETH/USDT"])
def test_book_kept_from_the_stream_equals_rest(tmp_path: Path, symbol: str) -> None:
    """Snapshot and updates, joined by the client; then the market stands still and both agree."""
    with running(tmp_path, *INSTRUMENTS) as exchange:

        async def act(binance: Any) -> None:
            for _ in range(20):
                book = await binance.watch_order_book(symbol)
            exchange.admin("market", speed=1e-6)
            while True:
                there = await binance.fetch_order_book(symbol, limit=100)
                ours = {
                    side: [level[:2] for level in book[side]][:100] for side in ("bids", "asks")
                }
                if book["nonce"] == there["nonce"]:
                    assert ours["bids"] == there["bids"]
                    assert ours["asks"] == there["asks"]
                    return
                book = await binance.watch_order_book(symbol)

        session(exchange, act)


def test_orders_are_placed_found_and_cancelled(exchange: Exchange) -> None:
    """Limit far from the market: open, found by id, replaced, cancelled."""

    async def act(binance: Any) -> None:
        placed = await binance.create_order("BTC/USDT", "limit", "buy", 0.01, 50_000)
        assert (placed["status"], placed["filled"]) == ("open", 0.0)
        found = await binance.fetch_order(placed["id"], "BTC/USDT")
        assert (found["price"], found["amount"]) == (50_000.0, 0.01)
        edited = await binance.edit_order(placed["id"], "BTC/USDT", "limit", "buy", 0.02, 50_001)
        assert (await binance.fetch_order(placed["id"], "BTC/USDT"))["status"] == "canceled"
        still_open = await binance.fetch_open_orders("BTC/USDT")
        assert [(o["id"], o["price"], o["amount"]) for o in still_open] == [
            (edited["id"], 50_001.0, 0.02)
        ]
        balance = await binance.fetch_balance()
        assert balance["USDT"]["used"] >= 0.02 * 50_001
        cancelled = await binance.cancel_order(edited["id"], "BTC/USDT")
        assert cancelled["status"] == "canceled"
        assert await binance.fetch_open_orders("BTC/USDT") == []

    session(exchange, act)


def test_wallets_are_one_for_all_instruments(exchange: Exchange) -> None:
    """What bitcoin costs is missing for ether: the quote currency is the same money."""

    async def act(binance: Any) -> None:
        before = await binance.fetch_balance()
        await binance.create_order("BTC/USDT", "market", "buy", 0.01)
        await binance.create_order("ETH/USDT", "market", "buy", 0.1)
        trades = [
            trade
            for symbol in ("BTC/USDT", "ETH/USDT")
            for trade in await binance.fetch_my_trades(symbol)
        ]
        after = await binance.fetch_balance()
        paid = sum(trade["cost"] + trade["fee"]["cost"] for trade in trades)
        assert before["USDT"]["total"] - after["USDT"]["total"] == pytest.approx(paid, rel=1e-9)
        assert after["ETH"]["total"] - before["ETH"]["total"] == pytest.approx(0.1)

    session(exchange, act)


def test_user_stream_tells_of_own_orders_and_trades(exchange: Exchange) -> None:
    """The client's own subscription over the WebSocket API."""

    async def act(binance: Any) -> None:
        orders = asyncio.create_task(binance.watch_orders("BTC/USDT"))
        trades = asyncio.create_task(binance.watch_my_trades("BTC/USDT"))
        placed = None
        while not (orders.done() and trades.done()):
            placed = await binance.create_order("BTC/USDT", "market", "buy", 0.001)
            await asyncio.wait({orders, trades}, timeout=0.5)
        assert placed is not None
        assert all(order["symbol"] == "BTC/USDT" for order in await orders)
        assert all(trade["amount"] > 0 for trade in await trades)

    session(exchange, act)


def test_refusals_arrive_as_the_real_venue_s(exchange: Exchange) -> None:
    """The client maps Binance's own codes to its own errors."""

    async def act(binance: Any) -> None:
        with pytest.raises(ccxt.OrderNotFound, match="-2011"):
            await binance.cancel_order("999999999", "BTC/USDT")
        with pytest.raises(ccxt.OrderNotFound, match="-2013"):
            await binance.fetch_order("999999999", "BTC/USDT")
        with pytest.raises(ccxt.InsufficientFunds):
            await binance.create_order("BTC/USDT", "limit", "buy", 100, 60_000)
        assert '"code":-2010' in binance.last_http_response
        with pytest.raises(ccxt.InvalidOrder, match="PRICE_FILTER"):
            await binance.private_post_order(
                {
                    "symbol": "BTCUSDT",
                    "side": "BUY",
                    "type": "LIMIT",
                    "timeInForce": "GTC",
                    "quantity": "0.01",
                    "price": "50000.001",
                }
            )
        with pytest.raises(ccxt.OrderImmediatelyFillable):
            await binance.create_order("BTC/USDT", "limit", "buy", 0.01, 90_000, {"postOnly": True})
        binance.secret = "wrong"
        with pytest.raises(ccxt.AuthenticationError, match="-1022"):
            await binance.fetch_balance()

    session(exchange, act)
