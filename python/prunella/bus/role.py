"""`Role`: a process's name in, what it may hear and say on the bus out.

An agent that hears only its own domain cannot be misled by another's noise, and what it says can
only be said in its own name. The table is closed: a name that is not in it may nothing.
"""

import msgspec

_DOMAINS = ("cpu", "network", "io", "execution", "http")


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """What one process may do on the bus.

    Attributes:
        name: The process's name.
        hears: Topic prefixes that it may subscribe to (or to anything below them); an empty one
            is everything.
        says: Topic prefixes that it may publish under.
    """

    name: str
    hears: tuple[str, ...] = ()
    says: tuple[str, ...] = ()

    def may_hear(self, prefix: str) -> bool:
        """Whether a subscription to `prefix` stays within what the role hears."""
        return any(prefix.startswith(allowed) for allowed in self.hears)

    def may_say(self, topic: str) -> bool:
        """Whether the role may publish under `topic`."""
        return any(topic.startswith(allowed) for allowed in self.says)


def role_named(name: str) -> Role:
    """The role of that name; one that may nothing when the name is unknown.

    Example:
        >>> role_named("agent-cpu").may_hear("local/network/")
        False
        >>> role_named("agent-cpu").may_say("local/healing/agent-cpu/urgent")
        True
    """
    return _ROLES.get(name, Role(name=name))


_ROLES = {
    role.name: role
    for role in (
        Role(name="watch", says=tuple(f"local/{domain}/" for domain in _DOMAINS)),
        Role(name="otlp", says=tuple(f"local/{domain}/otlp" for domain in _DOMAINS)),
        Role(name="recorder", hears=tuple(f"local/{domain}/" for domain in _DOMAINS)),
        *(
            Role(
                name=f"agent-{domain}",
                hears=(f"local/{domain}/", "local/healing/"),
                says=(f"local/healing/agent-{domain}/", f"local/healing/agent-{domain}."),
            )
            for domain in _DOMAINS
        ),
        Role(name="healing", hears=("",), says=("local/healing/healing/",)),
        Role(name="viewer", hears=("",)),
    )
}
