"""Every venue of the catalogue keeps the same promises, from its addresses to its frames."""

import itertools
import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from prunella.errors import UsageError
from prunella.trading.market.check import check_market
from prunella.trading.venue.base import Venue
from prunella.trading.venue.catalogue import VENUES, venue_named
from venue_server import T_MS, Speaker

OTHER = {
    "binance": "ETHUSDT",
    "binance-usdm": "ETHUSDT",
    "binance-coinm": "ETHUSD_PERP",
    "coinbase": "ETH-USD",
    "kraken": "ETH/USD",
    "okx": "ETH-USDT",
    "bitstamp": "ethusd",
    "bitstamp-orders": "ethusd",
}
REFUSALS = {
    "binance": '{"error":{"code":2,"msg":"Invalid request"},"id":1}',
    "binance-usdm": '{"code":-1121,"msg":"Invalid symbol."}',
    "binance-coinm": '{"code":-1121,"msg":"Invalid symbol."}',
    "coinbase": '{"type":"error","message":"authentication failure"}',
    "kraken": '{"error":"Currency pair not supported","method":"subscribe","success":false}',
    "okx": '{"event":"error","code":"60018","msg":"The channel does not exist"}',
    "bitstamp": '{"event":"bts:error","channel":"","data":{"code":null,"message":"Bad"}}',
    "bitstamp-orders": '{"event":"bts:error","channel":"","data":{"code":null,"message":"Bad"}}',
}
BEGIN_NS = T_MS * 1_000_000
SNAPSHOT_BY_REQUEST = [name for name, venue in VENUES.items() if venue.snapshot_path("x")]
every_venue = pytest.mark.parametrize("venue", VENUES.values(), ids=VENUES)


def _spoken(venue: str, count: int) -> list[str]:
    """The first frames of a connection, as they are on the wire."""
    speaker = Speaker(venue, 0)
    texts = itertools.islice(speaker.frames(), count)
    return [text.replace('"Q"', f"{speaker.number}.0").replace('"A"', "2.0") for text in texts]


@every_venue
def test_facts_are_whole_and_every_address_has_tls(venue: Venue) -> None:
    """A name to type, encrypted addresses, limits of time that can be kept."""
    facts = venue.facts
    assert venue_named(facts.name) is venue
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", facts.name)
    assert urlsplit(facts.stream_url).scheme == "wss"
    assert urlsplit(facts.rest_url).scheme == ("https" if facts.rest_url else "")
    assert facts.rest_url or venue.snapshot_path(facts.symbol) is None
    assert facts.silence_s > 0
    assert facts.life_s == 0 or facts.life_s > 10 * facts.silence_s
    assert facts.ping is None or facts.ping.every_s > 0
    assert facts.integrity
    assert facts.limits


@every_venue
def test_every_symbol_is_asked_for(venue: Venue) -> None:
    """Address and messages together name each instrument, for its book and for its trades."""
    symbols = [venue.facts.symbol, OTHER[venue.facts.name]]
    messages = venue.subscriptions(symbols)
    assert all(isinstance(json.loads(message), dict) for message in messages)
    asked = venue.stream_path(symbols) + "".join(messages)
    for symbol in symbols:
        assert asked.lower().count(symbol.lower()) >= 2
        path = venue.snapshot_path(symbol)
        assert path is None or symbol.lower() in path.lower()


@every_venue
def test_a_refusal_is_told_from_data(venue: Venue) -> None:
    """The venue's no is heard, and nothing else is taken for one."""
    assert venue.is_refusal(REFUSALS[venue.facts.name])
    assert not any(venue.is_refusal(frame) for frame in _spoken(venue.facts.name, 10))


@every_venue
def test_frames_are_read_by_the_decoder_that_the_facts_name(venue: Venue, tmp_path: Path) -> None:
    """What the venue says is well formed to the core, and about one instrument."""
    path = tmp_path / "session"
    frames = _spoken(venue.facts.name, 20)
    path.write_text("".join(f"{BEGIN_NS + at} {text}\n" for at, text in enumerate(frames)))
    report = check_market([str(path)], protocol=venue.facts.protocol)
    assert (report.protocol, report.malformed, report.refused) == (venue.facts.protocol, 0, 0)
    assert report.frames == 20
    [instrument] = report.instruments
    assert instrument.counters["diffs"] > 0


@pytest.mark.parametrize("name", SNAPSHOT_BY_REQUEST)
def test_snapshots_of_two_instruments_are_joined_each_to_its_own(name: str, tmp_path: Path) -> None:
    """A snapshot that was asked for is recorded with the name of its instrument."""
    venue = VENUES[name]
    spoken = "btcusd" if name == "bitstamp" else "BTCUSDT"
    lines: list[str] = []
    for symbol in ("AAAUSD", "BBBUSD"):
        speaker = Speaker(name, 0)
        stream = (
            text.replace(spoken, symbol.lower() if name == "bitstamp" else symbol).replace(
                spoken.lower(), symbol.lower()
            )
            for text in speaker.frames()
        )
        lines += itertools.islice(stream, 5)
        lines.append(venue.snapshot_line(symbol, speaker.snapshot(), alone=False))
        lines += itertools.islice(stream, 5)
    path = tmp_path / "session"
    path.write_text("".join(f"{BEGIN_NS + at} {line}\n" for at, line in enumerate(lines)))
    report = check_market([str(path)], protocol=venue.facts.protocol)
    assert report.findings == []
    assert [one.symbol.upper() for one in report.instruments] == ["AAAUSD", "BBBUSD"]
    assert [one.status for one in report.instruments] == ["Live", "Live"]


def test_an_unknown_name_is_answered_with_the_names_there_are() -> None:
    """A person who mistypes learns the choice."""
    with pytest.raises(UsageError, match=r"no venue 'kracken'; there are binance, .*kraken"):
        venue_named("kracken")
