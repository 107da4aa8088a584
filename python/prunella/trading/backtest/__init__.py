"""Recorded markets, a configuration and a venue's behaviour in; what would have been traded out."""

from prunella.trading.backtest.behaviour import Fees, Latency, Queue, VenueBehaviour
from prunella.trading.backtest.report import write_report
from prunella.trading.backtest.result import FILL, ORDER, SAMPLE, BacktestResult
from prunella.trading.backtest.run import Backtest, replay_session
from prunella.trading.backtest.whatif import Difference, compare

__all__ = [
    "FILL",
    "ORDER",
    "SAMPLE",
    "Backtest",
    "BacktestResult",
    "Difference",
    "Fees",
    "Latency",
    "Queue",
    "VenueBehaviour",
    "compare",
    "replay_session",
    "write_report",
]
