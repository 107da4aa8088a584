"""A strategy's settings in; the command that sets its parameters in a running engine out."""

from prunella.control import SetParameters
from prunella.trading.strategy import StrategySettings


def set_parameters(name: str, strategy: StrategySettings) -> SetParameters:
    """The command that makes the strategy of this name go on as these settings say.

    Example:
        >>> from prunella.trading.strategy import MarketMaker
        >>> command = set_parameters("maker", MarketMaker(quantity="0.01"))
        >>> command.kind, command.parameters["quantity"]
        ('market_maker', 10000000)
    """
    ((kind, parameters),) = strategy.raw().items()
    return SetParameters(strategy=name, kind=kind, parameters=parameters)


__all__ = ["set_parameters"]
