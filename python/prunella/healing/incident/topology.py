"""Who depends on whom: components in, "is this one downstream of that one" out.

A broken pipe wets every floor below it. Whoever sees water on the third floor should look up the
stairs before blaming the third floor: a component that depends on a broken one is a victim, not a
second cause. The topology is given by settings, so that it can describe somebody else's stack.
"""

from collections.abc import Iterable
from typing import Literal

from prunella.errors import ConfigError
from prunella.healing.incident.records import Record

ComponentKind = Literal["process", "venue", "host"]


class Component(Record, frozen=True, kw_only=True):
    """One part of the stack.

    Attributes:
        name: As in telemetry, such as `engine` or `exchange-primary`.
        kind: `process` is ours to restart, `venue` is somebody else's, `host` is the machine.
        depends_on: Names of the components that it cannot do its job without.
    """

    name: str
    kind: ComponentKind
    depends_on: tuple[str, ...] = ()


def replicated(name: str) -> str:
    """Of which agent a process is a replica; any other name is its own.

    Example:
        >>> replicated("agent-cpu.2"), replicated("agent-cpu"), replicated("engine.2")
        ('agent-cpu', 'agent-cpu', 'engine.2')
    """
    agent, dot, number = name.partition(".")
    return agent if dot and number.isdigit() and agent.startswith("agent-") else name


class Topology:
    """The components and their dependencies; no circles.

    Example:
        >>> topology = Topology([
        ...     Component(name="exchange-primary", kind="venue"),
        ...     Component(name="engine", kind="process", depends_on=("exchange-primary",)),
        ... ])
        >>> topology.is_downstream("engine", of="exchange-primary")
        True
        >>> topology.is_downstream("exchange-primary", of="engine")
        False
    """

    def __init__(self, components: Iterable[Component]) -> None:
        """Takes the components.

        Raises:
            ConfigError: A name is given twice, a dependency is unknown, or they form a circle.
        """
        self._components: dict[str, Component] = {}
        for component in components:
            if component.name in self._components:
                raise ConfigError(f"topology: component {component.name!r} is given twice")
            self._components[component.name] = component
        for component in self._components.values():
            for name in component.depends_on:
                if name not in self._components:
                    raise ConfigError(
                        f"topology: {component.name!r} depends on {name!r}, an unknown component"
                    )
        self._upstream = {name: self._reach(name, ()) for name in self._components}

    def _reach(self, name: str, path: tuple[str, ...]) -> frozenset[str]:
        if name in path:
            raise ConfigError("topology: circle " + " -> ".join((*path, name)))
        direct = self._components[name].depends_on
        return frozenset(direct).union(*(self._reach(each, (*path, name)) for each in direct))

    @property
    def components(self) -> tuple[Component, ...]:
        """All components, in the order given."""
        return tuple(self._components.values())

    def get(self, name: str) -> Component | None:
        """The component of that name, or None for a foreign process such as `pid:1234`.

        A replica of an agent is a component like it, though it may come and go.
        """
        return self._components.get(replicated(name))

    def upstream(self, name: str) -> frozenset[str]:
        """All that `name` depends on, directly or not; empty for an unknown name."""
        return self._upstream.get(replicated(name), frozenset())

    def downstream(self, name: str) -> frozenset[str]:
        """All that depend on `name`, directly or not; empty for an unknown name."""
        return frozenset(each for each, above in self._upstream.items() if name in above)

    def is_downstream(self, name: str, *, of: str) -> bool:
        """Whether `name` depends on `of`, directly or not."""
        return of in self.upstream(name)
