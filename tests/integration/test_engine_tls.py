"""The engine as a process over an exchange that is served over TLS, rightly and wrongly."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import engine_process
import exchange_process
import msgspec
import pytest
from certificates import Authority, Served
from engine_process import EAGER, Engine, wait_until
from exchange_process import Exchange
from prunella.trading.runtime import TradingSettings
from prunella.trading.venue import VenueEndpoint

MARKET = ("--seed", "3", "--speed", "3", "--orders-per-10s", "1000")


@contextlib.contextmanager
def _served(folder: Path, authority: Authority, served: Served) -> Iterator[Exchange]:
    """An exchange over TLS; ready when its port answers, whatever its certificate says."""
    (folder / "x").mkdir()
    files = ("--certificate", str(served.certificate), "--certificate-key", str(served.key))
    exchange = exchange_process.start(folder / "x", *MARKET, *files)
    exchange.trust(authority.file)
    try:
        yield exchange
    finally:
        exchange.stop()


def _over_tls(exchange: Exchange, ca_file: Path, host: str = "127.0.0.1") -> TradingSettings:
    at = f"{host}:{exchange.port}"
    endpoint = VenueEndpoint(
        rest_url=f"https://{at}",
        stream_url=f"wss://{at}",
        ws_api_url=f"wss://{at}",
        ca_file=str(ca_file),
    )
    return msgspec.structs.replace(EAGER, endpoints={"primary": endpoint})


def test_exchange_over_tls_is_traded_with_and_after_its_restart_again(tmp_path: Path) -> None:
    """All three connections are encrypted; a lost exchange is found again."""
    authority = Authority(tmp_path)
    with _served(tmp_path, authority, authority.sign()) as exchange:
        wait_until(exchange.is_ready, "the exchange over TLS")
        settings = _over_tls(exchange, authority.file)
        with engine_process.running(tmp_path, {"primary": exchange}, settings) as engine:
            engine.wait_trading(fills=3)
            assert engine.venue()["malformed"] == 0
            exchange.admin("behaviour", disconnect=True)
            wait_until(lambda: "channel lost" in engine.log(), "the loss to be noted")
            exchange.admin("behaviour", disconnect=False)
            engine.wait_ready()
            engine.wait_trading(fills=1)
            assert engine.stop() == 0


@pytest.mark.parametrize("wrong", ["authority", "name", "expired"])
def test_wrong_certificate_is_refused_and_the_status_says_why(tmp_path: Path, wrong: str) -> None:
    """Nothing is sent to whom cannot prove who he is."""
    authority = Authority(tmp_path)
    served = authority.sign(
        address="192.0.2.7" if wrong == "name" else "127.0.0.1",
        name="other.example" if wrong == "name" else "localhost",
        expires_days=-1 if wrong == "expired" else 1,
    )
    believed = Authority(tmp_path, "another authority") if wrong == "authority" else authority
    said = {
        "authority": "signed by no authority that is trusted here",
        "name": "is of another name",
        "expired": "has expired",
    }
    with _served(tmp_path, authority, served) as exchange:
        engine = Engine(tmp_path, {"primary": exchange}, _over_tls(exchange, believed.file))
        engine.start()
        try:
            wait_until(lambda: said[wrong] in engine.venue().get("trouble", ""), "the reason")
            assert not engine.is_ready()
            assert engine.venue()["orders_submitted"] == 0
        finally:
            engine.kill()


def test_plain_text_to_another_host_is_a_configuration_error(
    tmp_path: Path,
) -> None:
    """The process ends at once and says what is expected."""
    endpoint = VenueEndpoint(
        rest_url="http://192.0.2.1:9001",
        stream_url="wss://192.0.2.1:9001",
        ws_api_url="wss://192.0.2.1:9001",
    )
    settings = msgspec.structs.replace(EAGER, endpoints={"primary": endpoint})
    engine = Engine(tmp_path, {}, settings).start()
    assert engine.process is not None
    assert engine.process.wait(timeout=20) != 0
    assert "live trading only over TLS" in engine.log()
