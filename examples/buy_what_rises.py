"""A strategy of your own: follows a fast over a slow average, with immediate orders.

Run it over a recorded session, or over a synthetic one as here:
`python examples/buy_what_rises.py`

prints
orders were sent: True
every fill was taken: True
the position stayed within the limit: True
"""

import tempfile
from pathlib import Path

import msgspec
from prunella.cli.backtest import config_for, settings_of
from prunella.exchange.session import write_session
from prunella.trading.backtest import Backtest
from prunella.trading.strategy.user import ONE, Book, Strategy


class Parameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be changed with `--param NAME=VALUE`."""

    fast: float = 0.1
    slow: float = 0.01
    trigger_ppm: float = 1.0
    quantity: float = 0.01
    pause_ms: int = 500


class Rising(Strategy):
    """`prunella backtest examples/buy_what_rises.py:Rising RECORDING`."""

    Parameters = Parameters

    def on_start(self) -> None:
        """No averages yet."""
        self.fast = self.slow = 0.0
        self.after_ns = 0

    def on_book(self, book: Book) -> None:
        """Holds one quantity in the direction of the move."""
        settings, price = self.parameters, float(book.microprice)
        self.fast += (price - (self.fast or price)) * settings.fast if self.fast else price
        self.slow += (price - (self.slow or price)) * settings.slow if self.slow else price
        lead_ppm = (self.fast - self.slow) / self.slow * 1e6
        if abs(lead_ppm) < settings.trigger_ppm or book.orders or book.now_ns < self.after_ns:
            return
        target = round(settings.quantity * ONE) * (1 if lead_ppm > 0 else -1)
        missing = target - book.position
        if missing > 0:
            self.buy(book.market, price=book.ask, quantity=missing, life="immediate")
        elif missing < 0:
            self.sell(book.market, price=book.bid, quantity=-missing, life="immediate")
        self.after_ns = book.now_ns + settings.pause_ms * 1_000_000


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        session = Path(folder, "session")
        write_session(session, seed=7, seconds=30.0)
        settings = settings_of(f"{__file__}:Rising")
        data = {"primary": [session]}
        backtest = Backtest(data, config_for(settings, data), strategies={"Rising": Rising()})
        result = backtest.run()
    print(f"orders were sent: {len(result.orders) > 0}")
    print(f"every fill was taken: {(result.fills['is_maker'] == 0).all()}")
    print(f"the position stayed within the limit: {abs(result.samples['position']).max() <= ONE}")
