"""Markets and accounts in; one venue out: shared wallets, one hub, one memory. No sockets here."""

import msgspec

from prunella.errors import ConfigError
from prunella.exchange import refusals
from prunella.exchange.market import MS_NS, Market
from prunella.exchange.matching import Wallets
from prunella.exchange.memory import Memory
from prunella.exchange.orders import decimal
from prunella.exchange.settings import ExchangeSettings
from prunella.exchange.streams import Hub
from prunella.values import Clock

_encode = msgspec.json.Encoder().encode


class Venue:
    """Every market of an exchange, with the accounts that trade in them."""

    def __init__(
        self, settings: ExchangeSettings, clock: Clock, hub: Hub, memory: Memory | None = None
    ) -> None:
        self.settings = settings
        self.hub = hub
        # How often an account has changed: what is new to be kept.
        self.changes = 0
        self._clock = clock
        self._wallets = Wallets()
        for account in settings.accounts:
            number = self._wallets.open_account()
            kept = memory.balances.get(account.key.api_key) if memory else None
            for asset, amount in (account.balances if kept is None else kept).items():
                self._wallets.deposit(number, asset, amount)
        self.markets = {
            each.symbol.name: Market(
                settings,
                each.symbol,
                wallets=self._wallets,
                clock=clock,
                hub=hub,
                on_account=self._account_changed,
            )
            for each in settings.markets
        }
        self._assets = tuple(
            dict.fromkeys(
                asset
                for each in settings.markets
                for asset in (each.symbol.base, each.symbol.quote)
            )
        )
        for name, kept_market in (memory.markets if memory else {}).items():
            if name not in self.markets:
                raise ConfigError(
                    f"{settings.state_file}: holds a market {name} that the settings do not have"
                )
            self.markets[name].recall(kept_market)

    def market(self, symbol: str) -> Market:
        """The market of a symbol.

        Raises:
            Refusal: There is none.
        """
        found = self.markets.get(symbol)
        if found is None:
            raise refusals.invalid(-1121, "symbol")
        return found

    def remember(self) -> Memory:
        """What must not be forgotten when the process ends."""
        return Memory(
            balances={
                account.key.api_key: {
                    asset: free + locked for asset, free, locked in self.balances(number)
                }
                for number, account in enumerate(self.settings.accounts)
            },
            markets={name: market.remember() for name, market in self.markets.items()},
        )

    # What is asked.

    @property
    def loaded(self) -> bool:
        """Whether every market has its book."""
        return all(market.loaded for market in self.markets.values())

    @property
    def frames(self) -> int:
        """Frames played in all markets."""
        return sum(market.frames for market in self.markets.values())

    @property
    def last_order(self) -> int:
        """The sum of the numbers of the last orders taken: it grows with each order."""
        return sum(market.last_order for market in self.markets.values())

    @property
    def orders_open(self) -> int:
        """Resting orders of all accounts."""
        return sum(market.orders_open for market in self.markets.values())

    @property
    def updates(self) -> int:
        """Visible changes of all books."""
        return sum(market.update_id for market in self.markets.values())

    def now_ms(self) -> int:
        """The venue's time."""
        return self._clock.now_ns() // MS_NS

    def balances(self, account: int) -> list[tuple[str, int, int]]:
        """Asset, free and locked of each asset."""
        return [(asset, *self._wallets.holding(account, asset)) for asset in self._assets]

    def transfer(self, account: int, asset: str, amount: int) -> None:
        """Pays in or, negative, out.

        Raises:
            ValueError: There is no such account or asset, or less than that is free.
        """
        if asset not in self._assets or not 0 <= account < len(self.settings.accounts):
            raise ValueError(
                f"expected an account and one of {self._assets}, found {account}, {asset}"
            )
        free, _ = self._wallets.holding(account, asset)
        if free + amount < 0:
            raise ValueError(f"expected at most {free} to be paid out, found {-amount}")
        self._wallets.deposit(account, asset, amount)
        self._account_changed(account, self.now_ms())

    def _account_changed(self, account: int, ts_ms: int) -> None:
        self.changes += 1
        event = {
            "e": "outboundAccountPosition",
            "E": ts_ms,
            "u": ts_ms,
            "B": [
                {"a": asset, "f": decimal(free), "l": decimal(locked)}
                for asset, free, locked in self.balances(account)
            ],
        }
        self.hub.publish_user(account, _encode(event).decode())
