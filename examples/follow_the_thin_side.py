"""A strategy of your own: quotes both sides around the microprice, leaning against its inventory.

Run it over a recorded session, or over a synthetic one as here:
`python examples/follow_the_thin_side.py`

prints
orders were sent: True
the position stayed within the limit: True
the same run twice gives the same state: True
"""

import tempfile
from pathlib import Path

import msgspec
from prunella.cli.backtest import config_for, settings_of
from prunella.exchange.session import write_session
from prunella.trading.backtest import Backtest, BacktestResult
from prunella.trading.strategy.user import ONE, Book, Strategy


class Parameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be changed with `--param NAME=VALUE`."""

    half_spread_ppm: int = 10
    quantity: float = 0.01
    lean_ppm: int = 20


class ThinSide(Strategy):
    """`prunella backtest examples/follow_the_thin_side.py:ThinSide RECORDING`."""

    Parameters = Parameters
    tick = ONE // 100

    def on_book(self, book: Book) -> None:
        """Moves both quotes with the microprice, and down when we are long."""
        quantity = round(self.parameters.quantity * ONE)
        fair = book.microprice
        fair -= fair * self.parameters.lean_ppm * book.position // (quantity * 10 * 10**6)
        half = fair * self.parameters.half_spread_ppm // 10**6
        bid = min(fair - half, book.ask - self.tick)
        ask = max(fair + half, book.bid + self.tick)
        self.quote(
            book,
            bid=bid - bid % self.tick if book.position < 10 * quantity else None,
            ask=ask + -ask % self.tick if book.position > -10 * quantity else None,
            quantity=quantity,
            tolerance=half,
        )


def _run(session: Path) -> BacktestResult:
    settings = settings_of(f"{__file__}:ThinSide")
    data = {"primary": [session]}
    config = config_for(settings, data)
    return Backtest(data, config, strategies={"ThinSide": ThinSide()}).run()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        session = Path(folder, "session")
        write_session(session, seed=7, seconds=30.0)
        result, again = _run(session), _run(session)
    print(f"orders were sent: {len(result.orders) > 0}")
    print(f"the position stayed within the limit: {abs(result.samples['position']).max() <= ONE}")
    print(f"the same run twice gives the same state: {result.state_hash == again.state_hash}")
