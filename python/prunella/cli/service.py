"""Entry point of each supervised process: `python -m prunella.cli.service NAME HOME`.

Kept apart from the person's commands: a service imports what it runs and nothing else, because the
engine's way back after a crash begins with these imports. Hence the imports inside of functions.
"""
# ruff: noqa: PLC0415

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from prunella.cli.clock import SystemClock
from prunella.cli.context import Context
from prunella.config import Settings, load
from prunella.errors import ConfigError, PrunellaError
from prunella.values import Home

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from prunella.bus.zeromq import ZeroMqBus
    from prunella.healing.decide import DecideSettings
    from prunella.healing.diagnose import AgentSpec
    from prunella.healing.incident import Topology
    from prunella.healing.loop import Agent
    from prunella.healing.remediate import Workflow

    MakeAgent = Callable[[AgentSpec, Topology], Agent]

EXIT_UNUSABLE = 2
"""Settings or keys that cannot work: starting again will not help."""


def main() -> None:
    """Runs one service until it is told to stop."""
    name, root = sys.argv[1:3]
    home = Home(Path(root))
    try:
        _run(Context(name, home, load(home.settings), SystemClock()))
    except KeyboardInterrupt:
        sys.exit(130)
    except PrunellaError as error:
        sys.stderr.write(f"{name}: {error}\n")
        sys.exit(EXIT_UNUSABLE)


def _run(context: Context) -> None:
    """The service of that name, until it ends."""
    kind, _, rest = context.name.partition("-")
    match kind:
        case "engine" | "execution":
            _engine(context)
        case "signal" | "risk" | "position":
            _stage(context, kind)
        case "exchange":
            _exchange(context, venue=rest)
        case "monitor":
            _monitor(context)
        case "bus":
            _bus(context)
        case "watch" | "otlp":
            _telemetry(context, kind)
        case "healing":
            healing(context)
        case "agent":
            agent(context)
        case "strategy":
            _strategy(context, name=rest)


def _engine(context: Context) -> None:
    from prunella.trading.runtime import EngineService

    stage: Literal["market", "execution"] | None = None
    if context.settings.trading.topology == "split":
        stage = "execution" if context.name == "execution" else "market"
    EngineService(
        context.settings.trading,
        endpoints=context.settings.endpoints(),
        home=context.home,
        port=context.port,
        clock=context.clock,
        stage=stage,
    ).run()


def _stage(context: Context, name: Literal["signal", "risk", "position"]) -> None:
    from prunella.trading.runtime.stage_service import StageService

    StageService(name, home=context.home, port=context.port).run()


def _strategy(context: Context, *, name: str) -> None:
    from prunella.trading.runtime.hosting import StrategyHost
    from prunella.trading.strategy import PythonStrategy

    settings = context.settings.trading.strategies.get(name)
    if not isinstance(settings, PythonStrategy):
        raise ConfigError(f"[trading.strategies.{name}]: expected one of kind python, found none")
    StrategyHost(name, settings, home=context.home, port=context.port, clock=context.clock).run()


def _exchange(context: Context, *, venue: str) -> None:
    from prunella.cli.played import balances_of, markets_of
    from prunella.control.tokens import load_token
    from prunella.exchange import AccountSettings, ExchangeSettings, read_key
    from prunella.exchange.server import run

    markets = markets_of(context.settings, venue)
    key = read_key(context.home.key("venue.key"))
    run(
        ExchangeSettings(
            name=venue,
            port=context.port,
            markets=markets,
            accounts=(AccountSettings(key=key, balances=balances_of(markets)),),
            state_file=context.home.exchange_accounts(venue),
            control_socket=context.home.exchange_control(venue),
            admin_token=load_token(context.home.key("admin.token")),
            read_token=context.read_token,
            seed=context.settings.market.seed,
            speed=context.settings.market.speed,
        ),
        context.clock,
    )


def _monitor(context: Context) -> None:
    from prunella.trading.runtime.monitor import MonitorService

    MonitorService(
        home=context.home,
        port=context.port,
        engine_port=context.settings.ports()["engine"],
        clock=context.clock,
    ).run()


def _bus(context: Context) -> None:
    from prunella.bus.router import Router
    from prunella.control.tokens import load_token
    from prunella.telemetry.serve import Pages, StatusServer

    home = context.home
    router = Router(
        home.socket("bus-in"), home.socket("bus-out"), secret=load_token(home.key("bus.token"))
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: router.stop())

    def figures() -> dict[str, int]:
        return {
            "carried": router.carried,
            "refused_messages": router.refused_messages,
            "refused_subscriptions": router.refused_subscriptions,
            "refused_peers": router.refused_peers,
        }

    pages = StatusServer(
        context.port,
        token=context.read_token,
        pages=Pages(
            ready=lambda: "",
            metrics=lambda: "".join(f"bus_{k}_total {v}\n" for k, v in figures().items()).encode(),
            status=figures,
        ),
    )
    pages.start()
    router.run()
    pages.close()


def _connect(context: Context, role: str = "") -> "ZeroMqBus":
    """The process's access to the bus, in its own role unless another is named."""
    from prunella.bus.zeromq import ZeroMqBus, role_password
    from prunella.control.tokens import load_token

    home = context.home
    return ZeroMqBus(
        home.socket("bus-in"),
        home.socket("bus-out"),
        role=role or context.name,
        password=role_password(load_token(home.key("bus.token")), role or context.name),
    )


def _telemetry(context: Context, kind: Literal["watch", "otlp"]) -> None:
    if kind == "otlp":
        from prunella.cli.otlp_service import otlp

        otlp(context, _connect(context))
    else:
        from prunella.cli.telemetry_service import watch

        watch(context, _connect(context), _connect(context, role="recorder"))


def agent(context: Context, make: "MakeAgent | None" = None) -> None:
    """An agent's process.

    Args:
        context: What it is wired with.
        make: Makes who judges, of its description and the topology; default: the agent itself.
    """
    from prunella.healing.diagnose import AGENTS
    from prunella.healing.incident import Topology, replicated
    from prunella.healing.loop import AgentService, AgentSettings, local_stack, subscriptions

    reason = context.settings.healing.reason
    settings = AgentSettings(
        name=context.name,
        components=local_stack(context.settings.stages()).components,
        port=context.settings.ports().get(context.name, 0),  # a further replica takes a free one
        unexplained_ns=round(reason.unexplained_s * 1e9) if reason.enabled else 0,
    )
    agent_name = replicated(context.name)
    bus = _connect(context, role=agent_name)
    AgentService(
        settings,
        inlet=bus.subscribe(*subscriptions(settings)),
        outlet=bus,
        clock=context.clock,
        read_token=context.read_token,
        agent=make and make(AGENTS[agent_name], Topology(settings.components)),
    ).run()
    bus.close()


def _secrets(home: Home) -> list[str]:
    """Every token of this home, so that none of them can be sent to a model or kept."""
    return [
        path.read_text(encoding="utf-8").strip()
        for path in home.keys.glob("*.token")
        if path.is_file()
    ]


def healing(context: Context, catalogue: "Mapping[str, Workflow] | None" = None) -> None:
    """The healing plane's process.

    Args:
        context: What it is wired with.
        catalogue: The workflows; default: the project's own.
    """
    import msgspec

    from prunella.cli.targets import healing_targets
    from prunella.healing.audit import read_trail
    from prunella.healing.loop import HealingService, local_stack
    from prunella.healing.loop.thinker import keys_of, thinker_of
    from prunella.healing.reason import Redactor
    from prunella.journal import Ledger, load_private_key

    bus = _connect(context)
    ledger = Ledger(
        context.home.ledger,
        load_private_key(context.home.key("ledger.key")),
        notebooks=[Path(each) for each in context.settings.healing.witnesses],
    )
    earlier = [(each.seq, each.ts_ns, each.record) for each in read_trail(context.home.ledger)]
    stack = local_stack(context.settings.stages())
    reason = context.settings.healing.reason
    redactor = Redactor([*_secrets(context.home), *keys_of(reason, os.environ)[0].values()])
    HealingService(
        home=context.home,
        settings=msgspec.structs.replace(
            stack,
            decide=_decide_settings(context.settings),
        ),
        clock=context.clock,
        inlet=bus.subscribe("local/"),
        ledger=ledger,
        earlier=earlier,
        housekeeping=ledger.tick,
        outlet=bus,
        targets=healing_targets(context.home, context.settings, context.clock),
        port=context.port,
        catalogue=catalogue,
        thinker=thinker_of(
            reason,
            components=stack.components,
            venues=stack.venues,
            environment=os.environ,
            redactor=redactor,
            clock=context.clock,
            workflows=catalogue,
        ),
        reason=reason,
        redactor=redactor,
    ).run()
    ledger.close()
    bus.close()


def _decide_settings(settings: Settings) -> "DecideSettings":
    """What policy is told of the settings.

    Raises:
        ConfigError: A workflow or the market hours cannot be understood.
    """
    from prunella.healing.decide import DecideSettings, market_is_open

    healing = settings.healing
    autonomy = healing.autonomy.by_workflow()
    unknown = sorted(set(healing.two_person) - set(autonomy))
    if unknown:
        raise ConfigError(f"[healing] two_person: no workflow {', '.join(unknown)}")
    market_is_open(healing.market_hours, 0)
    return DecideSettings(
        environment=healing.environment,
        autonomy=autonomy,
        two_person=healing.two_person,
        market_hours=healing.market_hours,
        actions_per_hour_max=healing.actions_per_hour,
        actions_per_day_max=healing.actions_per_day,
        repeats_max=healing.repeats_per_hour,
    )


if __name__ == "__main__":
    main()
