"""`python -m prunella.exchange`: arguments in, a running exchange or exit status 2 out."""

import argparse
import sys
import time
from pathlib import Path

from prunella.errors import PrunellaError
from prunella.exchange.server import run
from prunella.exchange.settings import AccountSettings, ExchangeSettings, read_key
from prunella.values import parse_fixed


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
        "--market", type=Path, nargs="*", default=[], help="recordings; none: a synthetic market"
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
    parser.add_argument("--base", default="10", help="what each account starts with in base")
    parser.add_argument("--quote", default="1000000", help="what each account starts with in quote")
    parser.add_argument("--read-token-file", type=Path, required=True, help="for /metrics, /status")
    parser.add_argument("--admin-token-file", type=Path, required=True, help="for /admin")
    parser.add_argument("--orders-per-10s", type=int, default=300, help="limit of new orders")
    parser.add_argument("--weight-per-minute", type=int, default=6000, help="limit of weight")
    return parser


def _settings(arguments: argparse.Namespace) -> ExchangeSettings:
    base, quote = parse_fixed(arguments.base), parse_fixed(arguments.quote)
    return ExchangeSettings(
        name=arguments.name,
        host=arguments.host,
        port=arguments.port,
        market=tuple(arguments.market),
        seed=arguments.seed,
        speed=arguments.speed,
        repeat=not arguments.once,
        accounts=tuple(
            AccountSettings(key=read_key(path), base=base, quote=quote)
            for path in arguments.key_file
        ),
        state_file=arguments.state_file,
        read_token=arguments.read_token_file.read_text().strip(),
        admin_token=arguments.admin_token_file.read_text().strip(),
        orders_per_10s=arguments.orders_per_10s,
        weight_per_minute=arguments.weight_per_minute,
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
