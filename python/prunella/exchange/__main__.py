"""`python -m prunella.exchange`: arguments in, a running exchange or exit status 2 out."""

import argparse
import sys
import time
from pathlib import Path

from prunella.errors import PrunellaError, UsageError
from prunella.exchange.server import run
from prunella.exchange.settings import (
    AccountSettings,
    ExchangeSettings,
    MarketSettings,
    SymbolSettings,
    read_key,
)
from prunella.values import SCALE, parse_fixed


class _SystemClock:
    """The operating system's clock: this file is a command line of its own."""

    def now_ns(self) -> int:
        return time.time_ns()  # noqa: TID251 - the one real clock of this process

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m prunella.exchange",
        description="A simulated exchange that speaks Binance spot's public protocol.",
    )
    parser.add_argument("--name", default="primary", help="what it is called in logs and status")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, required=True, help="port to listen on")
    parser.add_argument(
        "--instrument",
        action="append",
        metavar="BASE/QUOTE[:START_PRICE]",
        help="an instrument that is traded; again for more. Default: BTC/USDT:61500",
    )
    parser.add_argument(
        "--market",
        nargs="*",
        default=[],
        metavar="[SYMBOL=]FILE",
        help="recordings, of the first instrument unless named; none: a synthetic market",
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of the synthetic market")
    parser.add_argument("--speed", type=float, default=1.0, help="pace of the market, 1 is real")
    parser.add_argument("--once", action="store_true", help="do not repeat the recording")
    parser.add_argument(
        "--key-file", type=Path, action="append", default=[], help="an account's venue.key"
    )
    parser.add_argument(
        "--state-file", type=Path, help="keeps the accounts over a restart; none: always fresh"
    )
    parser.add_argument(
        "--balance",
        action="append",
        default=[],
        metavar="ASSET=AMOUNT",
        help="what each account starts with. Default: 10 of each base, 1000000 of each quote",
    )
    parser.add_argument("--read-token-file", type=Path, required=True, help="for /metrics, /status")
    parser.add_argument("--admin-token-file", type=Path, required=True, help="for /admin")
    parser.add_argument(
        "--control-socket", type=Path, help="Unix socket of /admin; none: no faults can be set"
    )
    parser.add_argument("--orders-per-10s", type=int, default=300, help="limit of new orders")
    parser.add_argument("--weight-per-minute", type=int, default=6000, help="limit of weight")
    parser.add_argument("--certificate", type=Path, help="PEM file: serve over TLS with it")
    parser.add_argument("--certificate-key", type=Path, help="PEM file of its private key")
    return parser


def _markets(arguments: argparse.Namespace) -> tuple[MarketSettings, ...]:
    symbols = [_symbol(text) for text in arguments.instrument or ["BTC/USDT:61500"]]
    recordings: dict[str, list[Path]] = {symbol.name: [] for symbol in symbols}
    for text in arguments.market:
        name, named, file = text.partition("=")
        if named and name not in recordings:
            raise UsageError(
                f"--market {text}: expected one of {', '.join(recordings)}, found {name}"
            )
        recordings[name if named else symbols[0].name].append(Path(file if named else text))
    return tuple(
        MarketSettings(symbol=symbol, recordings=tuple(recordings[symbol.name]))
        for symbol in symbols
    )


def _symbol(text: str) -> SymbolSettings:
    pair, _, price = text.partition(":")
    base, slash, quote = pair.partition("/")
    if not (slash and base.isalnum() and quote.isalnum()):
        raise UsageError(f"--instrument {text}: expected BASE/QUOTE, such as ETH/USDT:2500")
    start_price = parse_fixed(price) if price else SymbolSettings().start_price
    return SymbolSettings(base=base, quote=quote, start_price=start_price)


def _balances(texts: list[str], markets: tuple[MarketSettings, ...]) -> dict[str, int]:
    balances = {market.symbol.quote: 1_000_000 * SCALE for market in markets}
    balances |= {market.symbol.base: 10 * SCALE for market in markets}
    for text in texts:
        asset, given, amount = text.partition("=")
        if not given or asset not in balances:
            raise UsageError(
                f"--balance {text}: expected ASSET=AMOUNT with one of {', '.join(balances)}"
            )
        balances[asset] = parse_fixed(amount)
    return balances


def _settings(arguments: argparse.Namespace) -> ExchangeSettings:
    markets = _markets(arguments)
    balances = _balances(arguments.balance, markets)
    return ExchangeSettings(
        name=arguments.name,
        host=arguments.host,
        port=arguments.port,
        markets=markets,
        seed=arguments.seed,
        speed=arguments.speed,
        repeat=not arguments.once,
        accounts=tuple(
            AccountSettings(key=read_key(path), balances=balances) for path in arguments.key_file
        ),
        state_file=arguments.state_file,
        control_socket=arguments.control_socket,
        read_token=arguments.read_token_file.read_text().strip(),
        admin_token=arguments.admin_token_file.read_text().strip(),
        orders_per_10s=arguments.orders_per_10s,
        weight_per_minute=arguments.weight_per_minute,
        certificate=arguments.certificate,
        certificate_key=arguments.certificate_key,
    )


def main() -> int:
    """Runs it; the exit status."""
    arguments = _parser().parse_args()
    try:
        run(_settings(arguments), _SystemClock())
    except (PrunellaError, OSError, ValueError) as error:
        sys.stderr.write(f"exchange: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
