"""The exchange process speaks Binance spot's documented protocol, field by field."""

import contextlib
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from exchange_process import API_KEY, READ_TOKEN, SECRET, Exchange, running
from metric_labels import unlisted_on
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

OTHER_KEY, OTHER_SECRET = "otherkey1", "othersecret1"

COMMON = {
    *("symbol", "orderId", "orderListId", "clientOrderId", "price", "origQty", "executedQty"),
    *("cummulativeQuoteQty", "status", "timeInForce", "type", "side", "origQuoteOrderQty"),
    "selfTradePreventionMode",
}
ORDER_FIELDS = COMMON | {
    "stopPrice",
    "icebergQty",
    "time",
    "updateTime",
    "isWorking",
    "workingTime",
}
FULL_FIELDS = COMMON | {"transactTime", "workingTime", "fills"}
CANCEL_FIELDS = COMMON | {"transactTime", "origClientOrderId"}
TRADE_FIELDS = {
    *("symbol", "id", "orderId", "orderListId", "price", "qty", "quoteQty", "commission"),
    *("commissionAsset", "time", "isBuyer", "isMaker", "isBestMatch"),
}
REPORT_FIELDS = list("eEscSofqpPFgCxXrilzLnNTtIwmMOZYQWV")


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """A synthetic market with two accounts."""
    keys = [(API_KEY, SECRET), (OTHER_KEY, OTHER_SECRET)]
    folder = tmp_path_factory.mktemp("exchange")
    with running(folder, "--orders-per-10s", "1000", keys=keys) as started:
        yield started


def receive(socket: ClientConnection, wanted: Callable[[Any], bool]) -> Any:
    """The next message that is wanted, within ten seconds."""
    deadline = time.monotonic() + 10
    while True:
        message = json.loads(socket.recv(timeout=deadline - time.monotonic()))
        if wanted(message):
            return message


def limit(exchange: Exchange, **changes: Any) -> Any:
    """Places a bid far below the market."""
    parameters = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    parameters |= {"price": "30000.00", "quantity": "0.01"}
    parameters = {name: value for name, value in (parameters | changes).items() if value != ""}
    return exchange.signed("POST", "order", **parameters)


def ws_params(**parameters: Any) -> dict[str, Any]:
    """Signed parameters of the WebSocket API."""
    parameters |= {"apiKey": API_KEY, "timestamp": time.time_ns() // 1_000_000}  # noqa: TID251
    payload = "&".join(f"{name}={parameters[name]}" for name in sorted(parameters))
    signature = hmac.new(SECRET.encode(), payload.encode(), hashlib.sha256).hexdigest()
    return parameters | {"signature": signature}


def ask(socket: ClientConnection, method: str, **params: Any) -> Any:
    """A call over the WebSocket API and its answer."""
    socket.send(json.dumps({"id": method, "method": method, "params": params}))
    return receive(socket, lambda message: message.get("id") == method)


def test_exchange_info_names_the_symbol_with_its_filters(exchange: Exchange) -> None:
    """Limits, symbol and filters are where a client looks for them."""
    info = exchange.call("GET", "/api/v3/exchangeInfo").body
    assert {"timezone", "serverTime", "rateLimits", "exchangeFilters", "symbols"} <= info.keys()
    (symbol,) = info["symbols"]
    assert (symbol["symbol"], symbol["baseAsset"], symbol["quoteAsset"]) == (
        "BTCUSDT",
        "BTC",
        "USDT",
    )
    filters = {rule["filterType"]: rule for rule in symbol["filters"]}
    assert filters["PRICE_FILTER"]["tickSize"] == "0.01000000"
    assert filters["LOT_SIZE"]["stepSize"] == "0.00001000"
    assert filters["NOTIONAL"]["minNotional"] == "5.00000000"


def test_public_calls_have_their_documented_shapes(exchange: Exchange) -> None:
    """Ping, time, depth, trades and the best prices."""
    assert exchange.call("GET", "/api/v3/ping").body == {}
    assert exchange.call("GET", "/api/v3/time").body.keys() == {"serverTime"}
    depth = exchange.call("GET", "/api/v3/depth?symbol=BTCUSDT&limit=5000")
    assert list(depth.body) == ["lastUpdateId", "bids", "asks"]
    assert len(depth.body["bids"]) >= 300
    assert float(depth.body["bids"][0][0]) < float(depth.body["asks"][0][0])
    ticker = exchange.call("GET", "/api/v3/ticker/bookTicker?symbol=BTCUSDT").body
    assert list(ticker) == ["symbol", "bidPrice", "bidQty", "askPrice", "askQty"]
    with connect(f"{exchange.ws_url}/ws/btcusdt@trade") as socket:
        trade = json.loads(socket.recv(timeout=10))
    assert list(trade) == ["e", "E", "s", "t", "p", "q", "T", "m", "M"]
    rows = exchange.call("GET", "/api/v3/trades?symbol=BTCUSDT&limit=5").body
    assert set(rows[0]) == {"id", "price", "qty", "quoteQty", "time", "isBuyerMaker", "isBestMatch"}


def test_depth_snapshot_of_each_size_costs_its_documented_weight(exchange: Exchange) -> None:
    """5, 25, 50 and 250 for up to 100, 500, 1000 and 5000 levels."""
    used = int(exchange.call("GET", "/api/v3/ping").headers["x-mbx-used-weight-1m"])
    for size, weight in ((100, 5), (500, 25), (1000, 50), (5000, 250)):
        answer = exchange.call("GET", f"/api/v3/depth?symbol=BTCUSDT&limit={size}")
        now = int(answer.headers["x-mbx-used-weight-1m"])
        if now > used:  # otherwise a new minute has begun
            assert now - used == weight
        used = now


def test_order_lives_from_new_to_canceled_with_all_fields(exchange: Exchange) -> None:
    """Place, query, list, cancel: each answer has exactly the documented fields."""
    placed = limit(exchange, newClientOrderId="life-1", newOrderRespType="FULL").body
    assert set(placed) == FULL_FIELDS
    assert (placed["status"], placed["fills"]) == ("NEW", [])
    found = exchange.signed("GET", "order", symbol="BTCUSDT", origClientOrderId="life-1").body
    assert set(found) == ORDER_FIELDS
    assert found["orderId"] == placed["orderId"]
    (row,) = exchange.signed("GET", "openOrders", symbol="BTCUSDT").body
    assert row == found
    gone = exchange.signed("DELETE", "order", symbol="BTCUSDT", orderId=placed["orderId"]).body
    assert set(gone) == CANCEL_FIELDS
    assert (gone["status"], gone["origClientOrderId"]) == ("CANCELED", "life-1")
    assert exchange.signed("GET", "openOrders").body == []


def test_all_orders_are_paged_by_order_id(exchange: Exchange) -> None:
    """Finished orders are listed too, from an order id on."""
    ids = [limit(exchange).body["orderId"] for _ in range(3)]
    exchange.signed("DELETE", "openOrders", symbol="BTCUSDT")
    rows = exchange.signed("GET", "allOrders", symbol="BTCUSDT", orderId=ids[1], limit=2).body
    assert [row["orderId"] for row in rows] == ids[1:]
    assert [row["status"] for row in rows] == ["CANCELED", "CANCELED"]
    newest = exchange.signed("GET", "allOrders", symbol="BTCUSDT", limit=1).body
    assert [row["orderId"] for row in newest] == ids[2:]


def test_market_order_fills_and_moves_balances_by_price_and_fee(exchange: Exchange) -> None:
    """What the fills say is what the balances and `myTrades` say."""
    before = balances(exchange)
    answer = exchange.signed(
        "POST", "order", symbol="BTCUSDT", side="SELL", type="MARKET", quantity="0.02"
    ).body
    assert answer["status"] == "FILLED"
    quote = sum(raw(fill["price"]) * raw(fill["qty"]) // 10**8 for fill in answer["fills"])
    fees = sum(raw(fill["commission"]) for fill in answer["fills"])
    after = balances(exchange)
    assert before["BTC"] - after["BTC"] == raw("0.02")
    assert after["USDT"] - before["USDT"] == quote - fees
    rows = exchange.signed("GET", "myTrades", symbol="BTCUSDT", orderId=answer["orderId"]).body
    assert set(rows[0]) == TRADE_FIELDS
    assert [row["id"] for row in rows] == [fill["tradeId"] for fill in answer["fills"]]
    later = exchange.signed("GET", "myTrades", symbol="BTCUSDT", fromId=rows[-1]["id"] + 1).body
    assert later == []


def test_market_order_by_amount_spends_no_more_than_the_amount(exchange: Exchange) -> None:
    """`quoteOrderQty` is an upper bound, used up to a lot."""
    answer = exchange.signed(
        "POST", "order", symbol="BTCUSDT", side="BUY", type="MARKET", quoteOrderQty="1000"
    ).body
    assert answer["status"] == "FILLED"
    assert 999 < float(answer["cummulativeQuoteQty"]) <= 1000


def raw(text: str) -> int:
    """Decimal text in units of 1e-8."""
    whole, _, fraction = text.partition(".")
    return int(whole) * 10**8 + int(fraction.ljust(8, "0"))


def balances(exchange: Exchange) -> dict[str, int]:
    """Free and locked of each asset together."""
    rows = exchange.signed("GET", "account").body["balances"]
    return {row["asset"]: raw(row["free"]) + raw(row["locked"]) for row in rows}


@pytest.mark.parametrize(
    ("changes", "status", "code", "message"),
    [
        ({"price": "30000.001"}, 400, -1013, "Filter failure: PRICE_FILTER"),
        ({"quantity": "0.000001"}, 400, -1013, "Filter failure: LOT_SIZE"),
        ({"quantity": "0.010005"}, 400, -1013, "Filter failure: LOT_SIZE"),
        ({"quantity": "0.0001", "price": "100.00"}, 400, -1013, "Filter failure: NOTIONAL"),
        ({"quantity": "0.123456789"}, 400, -1111, "Parameter 'quantity' has too much precision."),
        ({"quantity": "1e3"}, 400, -1100, None),
        ({"newClientOrderId": "white space"}, 400, -1100, None),
        ({"side": "HOLD"}, 400, -1117, "Invalid side."),
        ({"type": "STOP"}, 400, -1116, "Invalid orderType."),
        ({"timeInForce": "DAY"}, 400, -1115, "Invalid timeInForce."),
        ({"symbol": "ETHUSDT"}, 400, -1121, "Invalid symbol."),
        ({"quantity": ""}, 400, -1102, None),
        ({"unknown": "1"}, 400, -1104, None),
        ({"type": "LIMIT_MAKER"}, 400, -1106, "Parameter 'timeInForce' sent when not required."),
        (
            {"quantity": "100", "price": "60000.00"},
            400,
            -2010,
            "Account has insufficient balance for requested action.",
        ),
        (
            {"type": "LIMIT_MAKER", "timeInForce": "", "price": "90000.00"},
            400,
            -2010,
            "Order would immediately match and take.",
        ),
    ],
)
def test_bad_order_is_refused_in_the_venues_words(
    exchange: Exchange, changes: dict[str, str], status: int, code: int, message: str | None
) -> None:
    """Each way to be wrong has its documented code."""
    answer = limit(exchange, **changes)
    assert (answer.status, answer.body["code"]) == (status, code)
    assert message is None or answer.body["msg"] == message


def test_duplicate_client_order_id_is_refused_while_the_first_is_open(exchange: Exchange) -> None:
    """A retry of an order that arrived cannot double it."""
    assert limit(exchange, newClientOrderId="twin").status == 200
    again = limit(exchange, newClientOrderId="twin")
    assert (again.status, again.body) == (400, {"code": -2010, "msg": "Duplicate order sent."})
    exchange.signed("DELETE", "order", symbol="BTCUSDT", origClientOrderId="twin")
    assert limit(exchange, newClientOrderId="twin").status == 200
    exchange.signed("DELETE", "openOrders", symbol="BTCUSDT")


def test_unknown_order_is_refused_differently_by_query_and_cancel(exchange: Exchange) -> None:
    """-2013 to ask, -2011 to cancel."""
    answer = exchange.signed("GET", "order", symbol="BTCUSDT", origClientOrderId="nobody")
    assert (answer.status, answer.body["code"]) == (400, -2013)
    answer = exchange.signed("DELETE", "order", symbol="BTCUSDT", origClientOrderId="nobody")
    assert (answer.status, answer.body) == (400, {"code": -2011, "msg": "Unknown order sent."})


def test_bad_signatures_keys_and_times_are_refused(exchange: Exchange) -> None:
    """-2014, -2015, -1022, -1021 early and late, -1102 without a time."""
    now_ms = exchange.call("GET", "/api/v3/time").body["serverTime"]
    unsigned = exchange.call("GET", "/api/v3/account?timestamp=1&signature=00")
    assert (unsigned.status, unsigned.body["code"]) == (401, -2014)
    unknown = exchange.signed("GET", "account", key="nobody")
    assert (unknown.status, unknown.body["code"]) == (401, -2015)
    forged = exchange.signed("GET", "account", secret="guess")
    assert (forged.status, forged.body["code"]) == (400, -1022)
    late = exchange.signed("GET", "account", timestamp=now_ms - 6_000)
    assert late.body["code"] == -1021
    assert exchange.signed("GET", "account", timestamp=now_ms - 6_000, recvWindow=9_000).body
    early = exchange.signed("GET", "account", timestamp=now_ms + 5_000)
    assert "1000ms ahead" in early.body["msg"]


def test_order_in_a_form_body_is_signed_over_query_and_body(exchange: Exchange) -> None:
    """Clients may send parameters in the query, the body, or both."""
    query = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC"
    now_ms = exchange.call("GET", "/api/v3/time").body["serverTime"]
    body = f"quantity=0.01&price=30000.00&timestamp={now_ms}"
    signature = hmac.new(SECRET.encode(), (query + body).encode(), hashlib.sha256).hexdigest()
    answer = exchange.call(
        "POST",
        f"/api/v3/order/test?{query}",
        headers={"X-MBX-APIKEY": API_KEY, "Content-Type": "application/x-www-form-urlencoded"},
        body=f"{body}&signature={signature}",
    )
    assert (answer.status, answer.body) == (200, {})


def test_accounts_see_only_their_own_orders(exchange: Exchange) -> None:
    """Another key cannot find or cancel what is not its own."""
    placed = limit(exchange, newClientOrderId="mine").body
    other = {"key": OTHER_KEY, "secret": OTHER_SECRET}
    found = exchange.signed("GET", "order", symbol="BTCUSDT", orderId=placed["orderId"], **other)
    assert found.body["code"] == -2013
    assert exchange.signed("GET", "openOrders", **other).body == []
    exchange.signed("DELETE", "openOrders", symbol="BTCUSDT")


def test_subscriptions_are_answered_and_listed(exchange: Exchange) -> None:
    """SUBSCRIBE, LIST_SUBSCRIPTIONS, UNSUBSCRIBE, properties, and what is not understood."""
    with connect(f"{exchange.ws_url}/ws") as socket:
        socket.send('{"method":"SUBSCRIBE","params":["btcusdt@depth@100ms"],"id":1}')
        assert receive(socket, lambda message: "id" in message) == {"result": None, "id": 1}
        diff = receive(socket, lambda message: message.get("e") == "depthUpdate")
        assert list(diff) == ["e", "E", "s", "U", "u", "b", "a"]
        socket.send('{"method":"LIST_SUBSCRIPTIONS","id":"two"}')
        listed = receive(socket, lambda message: message.get("id") == "two")
        assert listed["result"] == ["btcusdt@depth@100ms"]
        socket.send('{"method":"SET_PROPERTY","params":["combined",true],"id":3}')
        wrapped = receive(socket, lambda message: "stream" in message)
        assert wrapped["stream"] == "btcusdt@depth@100ms"
        socket.send('{"method":"DANCE","id":4}')
        assert receive(socket, lambda message: message.get("id") == 4)["code"] == 2


def test_ping_is_answered_at_once_with_its_own_payload(exchange: Exchange) -> None:
    """A client may ask a quiet connection whether the venue is still there."""
    with connect(f"{exchange.ws_url}/ws") as socket:
        assert socket.ping("are you there").wait(timeout=5)


def test_client_that_sends_too_many_messages_is_disconnected(exchange: Exchange) -> None:
    """Five messages a second are allowed."""
    with connect(f"{exchange.ws_url}/ws") as socket, contextlib.suppress(ConnectionClosed):
        for number in range(7):
            socket.send(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": number}))
        while True:
            socket.recv(timeout=10)
    assert socket.close_code == 1008


def test_user_stream_tells_the_whole_life_of_an_order(exchange: Exchange) -> None:
    """NEW, TRADE and CANCELED reports with all fields, and balances after each."""
    with connect(f"{exchange.ws_url}/ws-api/v3") as socket:
        answer = ask(socket, "userDataStream.subscribe.signature", **ws_params())
        assert answer["status"] == 200
        number = answer["result"]["subscriptionId"]
        limit(exchange, newClientOrderId="told")
        first = receive(socket, lambda message: "event" in message)
        assert first["subscriptionId"] == number
        report = first["event"]
        assert list(report) == REPORT_FIELDS
        assert (report["x"], report["X"], report["c"], report["t"]) == ("NEW", "NEW", "told", -1)
        position = receive(socket, lambda message: "event" in message)["event"]
        assert list(position) == ["e", "E", "u", "B"]
        assert position["e"] == "outboundAccountPosition"
        exchange.signed("DELETE", "order", symbol="BTCUSDT", origClientOrderId="told")
        report = receive(socket, lambda m: m.get("event", {}).get("x") == "CANCELED")["event"]
        assert (report["C"], report["X"], report["w"]) == ("told", "CANCELED", False)
        exchange.signed(
            "POST", "order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.001"
        )
        report = receive(socket, lambda m: m.get("event", {}).get("x") == "TRADE")["event"]
        assert (report["X"], report["z"], report["m"]) == ("FILLED", "0.00100000", False)
        assert report["N"] == "USDT"
        assert report["t"] > 0


def test_orders_over_the_websocket_api_are_the_same_orders(exchange: Exchange) -> None:
    """Place, status, open orders, cancel and account over the socket."""
    with connect(f"{exchange.ws_url}/ws-api/v3") as socket:
        assert ask(socket, "ping")["result"] == {}
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
        order |= {"price": "30000.00", "quantity": "0.01", "newClientOrderId": "ws-1"}
        placed = ask(socket, "order.place", **ws_params(**order))
        assert placed["status"] == 200
        assert placed["rateLimits"][0]["rateLimitType"] == "REQUEST_WEIGHT"
        which = {"symbol": "BTCUSDT", "origClientOrderId": "ws-1"}
        assert ask(socket, "order.status", **ws_params(**which))["result"]["status"] == "NEW"
        assert len(ask(socket, "openOrders.status", **ws_params())["result"]) == 1
        gone = ask(socket, "order.cancel", **ws_params(**which))
        assert gone["result"]["status"] == "CANCELED"
        assert "balances" in ask(socket, "account.status", **ws_params())["result"]
        forged = ws_params(**which) | {"signature": "00"}
        refused = ask(socket, "order.status", **forged)
        assert (refused["status"], refused["error"]["code"]) == (400, -1022)


def test_operators_pages_want_their_tokens(exchange: Exchange) -> None:
    """/health and /ready are open, /metrics and /status are not, and /admin is elsewhere."""
    assert exchange.call("GET", "/health").status == 200
    assert exchange.call("GET", "/ready").status == 200
    for path in ("/metrics", "/status"):
        assert exchange.call("GET", path).status == 401
    reader = {"Authorization": "Bearer read-token"}
    assert exchange.call("GET", "/admin/behaviour", headers=reader).status == 404
    assert exchange.admin("behaviour", token=READ_TOKEN).status == 401
    text = exchange.call("GET", "/metrics", headers=reader).body
    for name in ("frames_total", "requests_total", "orders_open", "market_speed", "clients"):
        assert f"exchange_{name}" in text
    assert unlisted_on(text) == {}


def test_unused_weight_limit_is_refused_then_banned(tmp_path: Path) -> None:
    """429 with Retry-After at the limit; who goes on is told 418."""
    with running(tmp_path, "--weight-per-minute", "12") as exchange:
        answers = [exchange.call("GET", "/api/v3/time") for _ in range(60)]
        statuses = [answer.status for answer in answers]
        assert statuses[0] == 200
        assert 429 in statuses
        assert statuses[-1] == 418
        for answer in answers:
            if answer.status != 200:
                assert int(answer.headers["retry-after"]) >= 1
                assert answer.body["code"] == -1003


def test_too_many_new_orders_are_refused_with_their_count(tmp_path: Path) -> None:
    """The order count is told in a header and limited."""
    with running(tmp_path, "--orders-per-10s", "3") as exchange:
        answers = [limit(exchange) for _ in range(8)]
        assert answers[0].headers["x-mbx-order-count-10s"] == "1"
        refused = [answer for answer in answers if answer.status == 429]
        assert refused
        assert refused[0].body["code"] == -1015
