"""TOML in, frozen settings out; a misspelt key is named together with the nearest valid one."""

import difflib
import re
from pathlib import Path

import msgspec

from prunella.errors import ConfigError
from prunella.trading.runtime import TradingSettings
from prunella.trading.venue import VenueEndpoint, local_endpoint

COMPONENTS = (
    "bus",
    "exchange-primary",
    "exchange-backup",
    "engine",
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


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of a section of the settings."""


class StackSettings(Section, frozen=True):
    """Where the processes listen.

    Attributes:
        port_base: HTTP port of the first component on 127.0.0.1; the others follow.
    """

    port_base: int = 18_080


class MarketSettings(Section, frozen=True):
    """What the simulated exchanges play.

    Attributes:
        recordings: Recorded sessions, one after the other; empty: a seeded synthetic order flow.
        speed: 1 is as recorded.
        seed: Seed of the synthetic flow and of everything random in the exchanges.
    """

    recordings: tuple[str, ...] = ()
    speed: float = 1.0
    seed: int = 7


class HealingSettings(Section, frozen=True):
    """How far the healing plane may go.

    Attributes:
        autonomy: Per workflow `act`, `ask` or `observe`; a workflow that is not named may act.
    """

    autonomy: dict[str, str] = msgspec.field(default_factory=dict)


class Settings(Section, frozen=True):
    """All settings of a stack, as `settings.toml` in its home folder has them."""

    stack: StackSettings = msgspec.field(default_factory=StackSettings)
    market: MarketSettings = msgspec.field(default_factory=MarketSettings)
    trading: TradingSettings = msgspec.field(default_factory=TradingSettings)
    healing: HealingSettings = msgspec.field(default_factory=HealingSettings)

    def ports(self) -> dict[str, int]:
        """HTTP port of each component."""
        return {name: self.stack.port_base + i for i, name in enumerate(COMPONENTS)}

    def endpoints(self) -> dict[str, VenueEndpoint]:
        """Where each venue listens: as configured, else this stack's simulated exchange."""
        ports = self.ports()
        return {
            name: self.trading.endpoints.get(name) or local_endpoint(ports[f"exchange-{name}"])
            for name in self.trading.venues
        }


def load(path: Path) -> Settings:
    """Reads settings; a file that is not there gives the defaults.

    Raises:
        ConfigError: Not TOML, an unknown key, a wrong type or a value out of range; the message
            names the file and the key.
    """
    if not path.exists():
        return Settings()
    text = path.read_text(encoding="utf-8")
    try:
        return msgspec.toml.decode(text, type=Settings)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {error}{_nearest(str(error))}") from None
    except msgspec.DecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None


def save(settings: Settings, path: Path) -> None:
    """Writes settings as TOML, whole or not at all."""
    fresh = path.with_suffix(".new")
    fresh.write_bytes(msgspec.toml.encode(settings))
    fresh.chmod(0o600)
    fresh.replace(path)


def _nearest(message: str) -> str:
    """`; did you mean …` for an unknown key, else nothing."""
    unknown = re.search(r"unknown field `(\w+)`", message)
    if unknown is None:
        return ""
    near = difflib.get_close_matches(unknown[1], _field_names(Settings), n=1, cutoff=0.5)
    return f"; did you mean `{near[0]}`?" if near else ""


def _field_names(struct: object) -> set[str]:
    """Every field name of a settings struct and of the structs within it."""
    names: set[str] = set()
    pending, seen = [msgspec.inspect.type_info(struct)], set()
    while pending:
        info = pending.pop()
        if isinstance(info, msgspec.inspect.StructType) and info.cls not in seen:
            seen.add(info.cls)
            names.update(field.encode_name for field in info.fields)
            pending.extend(field.type for field in info.fields)
        elif isinstance(info, msgspec.inspect.UnionType):
            pending.extend(info.types)
        elif isinstance(info, msgspec.inspect.DictType):
            pending.append(info.value_type)
        elif isinstance(info, msgspec.inspect.VarTupleType | msgspec.inspect.ListType):
            pending.append(info.item_type)
    return names
