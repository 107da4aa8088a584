"""TOML in, frozen settings out; a misspelt key is named together with the nearest valid one."""

import difflib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from prunella.bridge import NetworkPath
from prunella.errors import ConfigError
from prunella.healing.reason.settings import ReasonSettings
from prunella.telemetry.settings import Section, TelemetrySettings
from prunella.trading.market import positive
from prunella.trading.runtime import STAGES, TradingSettings
from prunella.trading.strategy import PythonStrategy
from prunella.trading.venue import VenueEndpoint, local_endpoint

COMPONENTS = (
    "bus",
    "exchange-primary",
    "exchange-backup",
    "engine",
    "monitor",
    "watch",
    "agent-cpu",
    "agent-network",
    "agent-io",
    "agent-execution",
    "agent-http",
    "healing",
)
"""Every process of a stack, in the order of starting; its position gives its HTTP port. The healing
plane starts last and so stops first: it must not take a planned end for faults."""

STAGE_COMPONENTS = tuple(name for name in STAGES if name != "market")
"""What the topology `split` runs besides. Its sequencer, the market stage, keeps the name `engine`:
whoever watches or commands the stack speaks to it, and need not know the topology."""

FOLLOWERS = ("signal", "risk", "position")
"""Those with figures of their own alone; what `execution` shows of the venues, the engine shows."""

STRATEGY_PREFIX = "strategy-"
"""Before the name of a strategy in Python: its process."""

OTLP = "otlp"
"""The process that takes what other programs send; there when the settings want it."""

EXCHANGES = tuple(name for name in COMPONENTS if name.startswith("exchange-"))
PORT_MIN = 1_024
PORT_MAX = 65_535


class StackSettings(Section, frozen=True):
    """Where the processes listen.

    Attributes:
        port_base: HTTP port of the first component on 127.0.0.1; the others follow.
    """

    port_base: int = 18_080

    def __post_init__(self) -> None:
        """Refuses ports that are not there, or that only root may listen on."""
        last = PORT_MAX - len(COMPONENTS) - len(STAGE_COMPONENTS) + 1
        if not PORT_MIN <= self.port_base <= last:
            raise ValueError(
                f"port_base: expected {PORT_MIN} to {last}, found {self.port_base}: each of "
                f"{len(COMPONENTS) + len(STAGE_COMPONENTS)} processes takes the next port"
            )


class PlayedInstrument(Section, frozen=True):
    """What the simulated exchanges play in one instrument.

    Attributes:
        recordings: Recorded sessions, one after the other; empty: a seeded synthetic order flow.
        start_price: Where a synthetic flow begins, decimal text.
    """

    recordings: tuple[str, ...] = ()
    start_price: str = "61500"

    def __post_init__(self) -> None:
        """Refuses a price that is none."""
        positive("start_price", self.start_price)


class MarketSettings(Section, frozen=True):
    """What the simulated exchanges play.

    Attributes:
        recordings: Recorded sessions of the first instrument, one after the other; empty: a seeded
            synthetic order flow. A relative path begins at the folder of the settings file.
        instruments: The same for others, by the name that `[trading.instruments]` has.
        speed: 1 is as recorded.
        seed: Seed of the synthetic flow and of everything random in the exchanges.
    """

    recordings: tuple[str, ...] = ()
    instruments: dict[str, PlayedInstrument] = msgspec.field(default_factory=dict)
    speed: float = 1.0
    seed: int = 7

    def __post_init__(self) -> None:
        """Refuses a market that stands still or runs backwards."""
        if not self.speed > 0:
            raise ValueError(f"speed: expected more than 0, found {self.speed}")


Autonomy = Literal["auto", "approve", "propose", "observe"]


class AutonomySettings(Section, frozen=True, rename="kebab"):
    """How far each workflow may go by itself.

    `auto`: it acts. `approve`: it acts once a person has signed (`prunella approvals`).
    `propose`: a person is told, and does it by hand. `observe`: it is only written down.

    A field for each, so that a misspelt name is refused and not taken for "no restriction".

    Attributes:
        restart_with_warm_up: Restarting a process of ours that is gone, stopped or mute.
        reroute_to_backup_venue: Switching to the backup venue, and back.
        contain_cpu_offender: Lowering, pinning or stopping a stranger that takes the processor.
        back_off_and_shed: Sending fewer orders for a while to a venue that answers with errors.
        reload_last_good_configuration: Putting back settings that the stack was up with.
        failover_to_standby: Handing over to the standby.
        resync_book: Making a venue's book anew.
        reset_connections: Cutting connections to a venue that hang.
        cancel_and_reconcile: Taking working orders back and comparing books.
        move_to_other_cores: Letting a process of ours run on other processors.
        relieve_memory: Restarting a process that leaks before memory is gone.
        drop_caches: Letting the kernel let go of cached pages.
        move_journal_segments: Moving full journal segments to the spare storage.
        shape_traffic: Limiting what strangers send.
        switch_network_path: Sending packets another way.
        open_breaker: Sending nothing more to a venue that mistreats orders.
        fence_on_clock_error: Only reducing positions while the clock is wrong.
    """

    restart_with_warm_up: Autonomy = "auto"
    reroute_to_backup_venue: Autonomy = "auto"
    contain_cpu_offender: Autonomy = "auto"
    back_off_and_shed: Autonomy = "auto"
    reload_last_good_configuration: Autonomy = "approve"
    failover_to_standby: Autonomy = "approve"
    resync_book: Autonomy = "auto"
    reset_connections: Autonomy = "auto"
    cancel_and_reconcile: Autonomy = "auto"
    move_to_other_cores: Autonomy = "auto"
    relieve_memory: Autonomy = "auto"
    drop_caches: Autonomy = "auto"
    move_journal_segments: Autonomy = "auto"
    shape_traffic: Autonomy = "auto"
    switch_network_path: Autonomy = "auto"
    open_breaker: Autonomy = "approve"
    fence_on_clock_error: Autonomy = "auto"

    def by_workflow(self) -> dict[str, Autonomy]:
        """The same by the workflows' catalogue names."""
        found: dict[str, Autonomy] = msgspec.to_builtins(self)
        return found


class HealingSettings(Section, frozen=True):
    """How far the healing plane may go.

    Attributes:
        environment: What this stack is; policy has rules of its own for `production`.
        two_person: Workflows that two different people have to sign.
        market_hours: When the market is open, such as `mon-fri 13:30-20:00` (UTC): what can wait
            then waits, or for a person. Empty: no rule about it.
        actions_per_hour: How many remediations may begin in an hour.
        actions_per_day: How many in a day.
        repeats_per_hour: How often one workflow may run for one cause (class of fault and culprit)
            in an hour; beyond it a person is asked.
        spare_storage: A folder on another file system, where full journal segments may go; empty:
            there is none.
        paths: Ways to the venues by name, the usual one first; two make a choice.
        autonomy: Per workflow.
        reason: Which language models are asked where the expert does not know; none by default.
        witnesses: Files, best on other volumes, that get a copy of the ledger's checkpoints: they
            show if the ledger was cut short or rewritten since.
    """

    environment: Literal["local", "test", "staging", "production"] = "local"
    two_person: tuple[str, ...] = ()
    market_hours: tuple[str, ...] = ()
    actions_per_hour: int = 30
    actions_per_day: int = 200
    repeats_per_hour: int = 6
    spare_storage: str = ""
    paths: dict[str, NetworkPath] = msgspec.field(default_factory=dict)
    autonomy: AutonomySettings = msgspec.field(default_factory=AutonomySettings)
    reason: ReasonSettings = msgspec.field(default_factory=ReasonSettings)
    witnesses: tuple[str, ...] = ()


class Settings(Section, frozen=True):
    """All settings of a stack, as `settings.toml` in its home folder has them."""

    stack: StackSettings = msgspec.field(default_factory=StackSettings)
    market: MarketSettings = msgspec.field(default_factory=MarketSettings)
    trading: TradingSettings = msgspec.field(default_factory=TradingSettings)
    healing: HealingSettings = msgspec.field(default_factory=HealingSettings)
    telemetry: TelemetrySettings = msgspec.field(default_factory=TelemetrySettings)

    def components(self) -> tuple[str, ...]:
        """Every process of this stack, in the order of starting: a person's strategies last."""
        after = COMPONENTS.index("engine") + 1
        stack = (*COMPONENTS[:after], *self.stages(), *COMPONENTS[after:], *self._strategies())
        return (*stack, OTLP) if self.telemetry.otlp.enabled else stack

    def stages(self) -> tuple[str, ...]:
        """The processes that the engine trades through; none where it is all stages itself."""
        return STAGE_COMPONENTS if self.trading.topology == "split" else ()

    def ports(self) -> dict[str, int]:
        """HTTP port of each component; that of none depends on the topology."""
        known = (*COMPONENTS, *STAGE_COMPONENTS, *self._strategies(), OTLP)
        ports = {name: self.stack.port_base + i for i, name in enumerate(known)}
        return {name: ports[name] for name in self.components()}

    def _strategies(self) -> Iterator[str]:
        """The processes of a person's strategies."""
        for name, strategy in self.trading.strategies.items():
            if isinstance(strategy, PythonStrategy):
                yield f"{STRATEGY_PREFIX}{name}"

    def endpoints(self) -> dict[str, VenueEndpoint]:
        """Where each venue listens: as configured, else this stack's simulated exchange."""
        ports = self.ports()
        return {
            name: self.trading.endpoints.get(name) or local_endpoint(ports[f"exchange-{name}"])
            for name in self.trading.venues
        }

    def venue_addresses(self) -> dict[str, tuple[tuple[str, int], ...]]:
        """Host and port of every connection to each venue."""
        found = {}
        ports = {"https": 443, "wss": 443}
        for name, each in self.endpoints().items():
            urls = [urlsplit(url) for url in (each.rest_url, each.stream_url, each.ws_api_url)]
            addresses = {
                (url.hostname, url.port or ports.get(url.scheme, 80))
                for url in urls
                if url.hostname
            }
            found[name] = tuple(sorted(addresses))
        return found


def load(path: Path) -> Settings:
    """Reads settings; a file that is not there gives the defaults.

    Raises:
        ConfigError: Not TOML, an unknown key, a wrong type, a value out of range, or tables that
            do not fit together; the message names the file and the key.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Settings()
    except OSError as error:
        raise ConfigError(f"{path}: cannot read the settings: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: not UTF-8 text: {error}") from None
    try:
        settings = msgspec.toml.decode(text, type=Settings)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {error}{_nearest(str(error))}") from None
    except msgspec.DecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None
    _check_trading(settings.trading, path)
    return msgspec.structs.replace(settings, market=_located(settings, path))


def _located(settings: Settings, path: Path) -> MarketSettings:
    """What is played, with paths that hold from any folder.

    Raises:
        ConfigError: Something is played in an instrument that is not traded.
    """

    def locate(recordings: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(path.parent / each) for each in recordings)

    market = settings.market
    for name in market.instruments:
        if name not in settings.trading.instruments:
            known = ", ".join(settings.trading.instruments) or "none"
            raise ConfigError(
                f"{path}: [market.instruments.{name}] is played for no instrument of "
                f"[trading.instruments]; there are: {known}"
            )
    return msgspec.structs.replace(
        market,
        recordings=locate(market.recordings),
        instruments={
            name: msgspec.structs.replace(each, recordings=locate(each.recordings))
            for name, each in market.instruments.items()
        },
    )


def save(settings: Settings, path: Path) -> None:
    """Writes settings as TOML, whole or not at all."""
    fresh = path.with_suffix(".new")
    fresh.write_bytes(msgspec.toml.encode(settings))
    fresh.chmod(0o600)
    fresh.replace(path)


def _check_trading(trading: TradingSettings, path: Path) -> None:
    """Tells here, and not in the log of a process that died, what does not fit together.

    Raises:
        ConfigError: A venue that nobody serves, an address of an unknown venue, or a size off the
            instrument's grid.
    """
    own = {name.removeprefix("exchange-") for name in EXCHANGES}
    for venue in trading.venues:
        if venue not in own | trading.endpoints.keys():
            raise ConfigError(
                f"{path}: venue {venue!r} needs an address in [trading.endpoints.{venue}]; "
                f"without one there are {', '.join(sorted(own))}"
            )
    for venue in trading.endpoints:
        if venue not in trading.venues:
            raise ConfigError(
                f"{path}: [trading.endpoints.{venue}] is the address of no venue; "
                f"there are {', '.join(trading.venues)}"
            )
    try:
        trading.core()
    except ValueError as error:
        raise ConfigError(f"{path}: [trading]: {error}") from None


def _nearest(message: str) -> str:
    """For an unknown key: the nearest one that would be valid in its place, or all of them."""
    unknown = re.fullmatch(r"Object contains unknown field `(.+?)`(?: - at `\$(.*)`)?", message)
    if unknown is None:
        return ""
    valid = sorted(_keys_at(unknown[2] or ""))
    near = difflib.get_close_matches(unknown[1], valid, n=1, cutoff=0.5)
    return f"; did you mean `{near[0]}`?" if near else f"; valid here: {', '.join(valid)}"


def _keys_at(place: str) -> set[str]:
    """The valid keys at a place in the settings, such as `.trading.venues[...]`."""
    here = [msgspec.inspect.type_info(Settings)]
    for step in re.findall(r"\.(\w[\w-]*)|(\[[^]]*\])", place):
        here = [within for each in here for within in _within(each, step[0])]
    return {
        field.encode_name
        for each in here
        if isinstance(each, msgspec.inspect.StructType)
        for field in each.fields
    }


def _within(info: msgspec.inspect.Type, name: str) -> Iterator[msgspec.inspect.Type]:
    """What is inside of a table under that name, or (no name) inside of a list or a table."""
    found: list[msgspec.inspect.Type] = []
    if isinstance(info, msgspec.inspect.StructType):
        found = [field.type for field in info.fields if field.encode_name == name]
    elif isinstance(info, msgspec.inspect.DictType):
        found = [info.value_type]
    elif isinstance(info, msgspec.inspect.VarTupleType | msgspec.inspect.ListType):
        found = [info.item_type]
    for each in found:
        if isinstance(each, msgspec.inspect.UnionType):
            yield from each.types
        else:
            yield each
