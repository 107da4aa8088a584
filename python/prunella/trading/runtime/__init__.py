"""The shell around the core: settings in, a trading process with control and telemetry out."""

from prunella.trading.runtime.parameters import set_parameters
from prunella.trading.runtime.service import EngineService
from prunella.trading.runtime.settings import STAGES, LoopSettings, StageName, TradingSettings

__all__ = [
    "STAGES",
    "EngineService",
    "LoopSettings",
    "StageName",
    "TradingSettings",
    "set_parameters",
]
