"""`Backtest`: data, a core's configuration and a venue's behaviour in; a `BacktestResult` out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from prunella._core import replay_orders, run_backtest
from prunella.errors import ConfigError
from prunella.trading.backtest.behaviour import VenueBehaviour
from prunella.trading.backtest.result import BacktestResult
from prunella.trading.strategy.user import Strategy


class Backtest:
    """One run over recorded data.

    Args:
        data: Recordings by venue name, in order: the files of a session, or the one folder of an
            engine's journal, whose market data is played. A venue that is left out is silent.
        config: The JSON of the core's configuration, as `core_config` makes it.
        behaviour: How the simulated venues behave.
        cache: Folder for decoded recordings; without it, they are decoded each time.
        strategies: Strategies written in Python, by the name that the configuration gives them;
            they are called in this process.
        models: ONNX files of models by the name of the strategy of kind `onnx` that trades with
            them from the beginning; only models that the core itself computes.

    Raises:
        ConfigError: Data of a venue that is not configured, or no data.
    """

    def __init__(
        self,
        data: Mapping[str, Sequence[Path]],
        config: bytes,
        *,
        behaviour: VenueBehaviour | None = None,
        cache: Path | None = None,
        strategies: Mapping[str, Strategy] | None = None,
        models: Mapping[str, bytes] | None = None,
    ) -> None:
        self._models = list((models or {}).items())
        self._config = config
        self._behaviour = behaviour or VenueBehaviour()
        self._cache = cache
        core = msgspec.json.decode(config)
        self._strategies: list[tuple[int, Strategy]] = []
        names = [each["name"] for each in core["strategies"] if "external" in each["kind"]]
        if sorted(names) != sorted(strategies or {}):
            raise ConfigError(
                f"strategies: expected an object for each of {names}, "
                f"found {list(strategies or {})}"
            )
        for index, each in enumerate(core["strategies"]):
            if strategies and each["name"] in strategies:
                self._strategies.append((index, strategies[each["name"]]))
        self._venues = [venue["name"] for venue in core["venues"]]
        for venue in data:
            if venue not in self._venues:
                known = ", ".join(self._venues)
                raise ConfigError(f"data: expected one of the venues {known}, found {venue!r}")
        if not any(data.values()):
            raise ConfigError("data: expected at least one recording, found none")
        self._data = [[str(path) for path in data.get(venue, ())] for venue in self._venues]

    def run(self, *, is_measured: bool = False) -> BacktestResult:
        """Plays everything.

        Args:
            is_measured: Also take the time of each order's way from the core's decision to the
                core's knowing that it is accepted; see `BacktestResult.accept_ns`.

        Raises:
            RecordingError: A file is missing, damaged, or holds none of the configured markets.
            JournalError: A journal is damaged.
            ConfigError: Configuration and behaviour do not fit together.
        """
        try:
            settings = self._behaviour.raw(self._venues, is_measured=is_measured)
        except ValueError as error:
            raise ConfigError(str(error)) from None
        for _, strategy in self._strategies:
            strategy.on_start()
        found: dict[str, Any] = run_backtest(
            config=self._config,
            settings=settings,
            data=self._data,
            cache_dir=self._cache,
            strategies=[(index, strategy.handle) for index, strategy in self._strategies],
            models=self._models,
        )
        return BacktestResult(
            found, config=self._config, behaviour=self._behaviour, data=self._data
        )


def replay_session(journal: Path, *, sample_ms: int = 100) -> BacktestResult:
    """The very orders and fills of a recorded live session: its inputs, applied again.

    Nothing is simulated: the venue's answers are those of the journal, and every recorded state
    hash is compared on the way.

    Raises:
        JournalError: The journal is empty or damaged, or its replay differs from what was recorded.
    """
    found: dict[str, Any] = replay_orders(journal, sample_ns=sample_ms * 1_000_000)
    config = found["config"].encode()
    return BacktestResult(found, config=config, behaviour=None, data=[[str(journal)]])
