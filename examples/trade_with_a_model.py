"""Train a model on a synthetic session, check it, promote it, and trade another session with it.

    python examples/trade_with_a_model.py

prints

    trained on a synthetic session, 19 figures a row
    the core and ONNX Runtime agree
    promoted for signal: first model
    it has placed orders in a session that it had never seen
"""

import tempfile
from pathlib import Path

from prunella.exchange.session import write_session
from prunella.trading.backtest import Backtest
from prunella.trading.execution import VenueLimits
from prunella.trading.model import Registry
from prunella.trading.model.dataset import FEATURES, read_dataset
from prunella.trading.model.train import TrainSettings, train
from prunella.trading.runtime import TradingSettings
from prunella.trading.strategy import Onnx

TRADING = TradingSettings(
    venues={"primary": VenueLimits(order_rate_per_second=50)},
    strategies={"signal": Onnx(quantity="0.01", threshold="0.000001", cooldown_ms=500)},
)
HORIZON_MS, STRIDE_MS = 1_000, 200


def main() -> None:
    """Tells each step."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for seed in (1, 2):
            write_session(folder / f"session-{seed}", seed=seed, seconds=240.0)

        first, second = str(folder / "session-1"), folder / "session-2"
        data = read_dataset(
            [first], instrument=TRADING.instrument, horizon_ms=HORIZON_MS, stride_ms=STRIDE_MS
        )
        settings = TrainSettings(algorithm="linear", target="return", folds=1)
        onnx, manifest = train(
            data,
            settings,
            recordings=("session-1",),
            stride_ms=STRIDE_MS,
            now_ns=int(data.ts_ns[-1]),
        )
        print(f"trained on a synthetic session, {len(FEATURES)} figures a row")
        print("the core and ONNX Runtime", "agree" if manifest.parity.is_good else "differ")

        registry = Registry(folder / "models")
        registry.add(onnx, manifest)
        made = registry.promote(
            manifest.id, strategy="signal", actor="ann", reason="first model", now_ns=1
        )
        print(f"promoted for {made.strategy}: {made.reason}")

        models = {made.strategy: registry.read(made.model)}
        result = Backtest({"primary": [second]}, TRADING.core(), models=models).run()
        verb = "has placed" if len(result.orders) else "has not placed"
        print(f"it {verb} orders in a session that it had never seen")


if __name__ == "__main__":
    main()
