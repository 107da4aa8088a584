"""`NetworkTarget`: paths, limits on strangers' traffic, and connections; through ip, nft and ss."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import msgspec

from prunella.bridge.deeds import Deeds
from prunella.bridge.keyed import KeyedTarget, RefusedError
from prunella.control import Command, ResetConnections, ShapeTraffic, SwitchPath
from prunella.values import Clock

_TABLE = "prunella_shape"
_TOOL_S = 5.0
_TOOLS: dict[type[msgspec.Struct], str] = {
    ShapeTraffic: "nft",
    SwitchPath: "ip",
    ResetConnections: "ss",
}
_RATE = re.compile(r"limit rate over (\d+) (|k|m)bytes/second")
_UNIT = {"": 1, "k": 1024, "m": 1024 * 1024}
_INTERFACE = re.compile(r"[A-Za-z0-9_.-]{1,15}")


class NetworkPath(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way to the venues.

    Attributes:
        destination: Their network, such as `203.0.113.0/24`.
        via: The next hop's address.
        device: The network interface.
    """

    destination: str
    via: str
    device: str


class NetworkTarget(KeyedTarget):
    """Carries out `SwitchPath`, `ShapeTraffic` and `ResetConnections` on this host.

    Args:
        clock: The time.
        paths: The ways to the venues, by name; the first is the usual one.
        endpoints: Address and port of each venue's connections.
        own_ports: Ports of this stack: their traffic is never limited.
        deeds: Remembers what was done under which key.
    """

    name = "network"
    commands: ClassVar = (SwitchPath, ShapeTraffic, ResetConnections)
    expects: ClassVar = {SwitchPath: "path", ShapeTraffic: "bytes_per_second"}

    def __init__(
        self,
        clock: Clock,
        *,
        paths: Mapping[str, NetworkPath],
        endpoints: Mapping[str, Sequence[tuple[str, int]]],
        own_ports: Sequence[int] = (),
        deeds: Deeds | None = None,
    ) -> None:
        super().__init__(clock, deeds)
        self._paths = dict(paths)
        self._endpoints = {name: tuple(each) for name, each in endpoints.items()}
        self._own_ports = tuple(own_ports)

    def why_not(self, command: type[msgspec.Struct]) -> str:
        """Why this machine cannot do it: no root, no tool, or nothing to choose from."""
        tool = _TOOLS.get(command, "")
        if os.geteuid() != 0:
            return "changing the network needs root"
        if tool and shutil.which(tool) is None:
            return f"there is no {tool} here"
        if command is SwitchPath and len(self._paths) < 2:
            return "fewer than two [healing.paths] are configured"
        return ""

    def look(self, command: Command) -> dict[str, str]:
        """The path, the limit or the connections as they are now."""
        why = self.why_not(type(command))
        if why:
            raise RefusedError("NOT_POSSIBLE_HERE", why)
        match command:
            case SwitchPath(path=path):
                if path and path not in self._paths:
                    raise RefusedError("PATH_UNKNOWN", f"no path {path!r} is configured")
                return {"path": self._path()}
            case ShapeTraffic(interface=interface):
                if not _INTERFACE.fullmatch(interface):
                    raise RefusedError("INTERFACE_UNKNOWN", f"{interface!r} is no interface")
                return {"bytes_per_second": self._limit()}
            case ResetConnections(venue=venue):
                if venue not in self._endpoints:
                    raise RefusedError("VENUE_UNKNOWN", f"no endpoint of {venue!r} is known")
                return {"connections": str(self._connections(venue, kill=False))}
            case _:
                return {}

    def act(self, command: Command, before: dict[str, str]) -> None:
        """Changes it."""
        match command:
            case SwitchPath(path=path):
                self._switch(path or self._next(before["path"]))
            case ShapeTraffic(interface=interface, bytes_per_second=rate):
                self._shape(interface, rate)
            case ResetConnections(venue=venue):
                self._connections(venue, kill=True)

    # Paths ------------------------------------------------------------------------------------

    def _path(self) -> str:
        """The name of the path in use; empty when the route is none of ours."""
        destination = next(iter(self._paths.values())).destination
        for route in self._ip_json("route", "show", destination):
            for name, path in self._paths.items():
                if (route.get("gateway"), route.get("dev")) == (path.via, path.device):
                    return name
        return ""

    def _next(self, present: str) -> str:
        names = list(self._paths)
        return names[(names.index(present) + 1) % len(names)] if present in names else names[0]

    def _switch(self, name: str) -> None:
        path = self._paths[name]
        _run("ip", "route", "replace", path.destination, "via", path.via, "dev", path.device)

    def _ip_json(self, *arguments: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(_run("ip", "-j", *arguments) or "[]")
        return found

    # Limits -----------------------------------------------------------------------------------

    def _limit(self) -> str:
        """The limit in force, bytes per second; 0 for none."""
        listed = _run("nft", "list", "tables")
        if f"table inet {_TABLE}" not in listed:
            return "0"
        match = _RATE.search(_run("nft", "list", "table", "inet", _TABLE))
        return str(int(match[1]) * _UNIT[match[2]]) if match else "0"

    def _shape(self, interface: str, rate: int) -> None:
        """One table of our own, replaced as a whole: nobody else's rules are touched."""
        rules = f"table inet {_TABLE} {{}}\ndelete table inet {_TABLE}\n"
        if rate:
            ports = ", ".join(map(str, self._own_ports))
            ours = f"tcp dport {{ {ports} }} accept\ntcp sport {{ {ports} }} accept\n"
            rules += (
                f"table inet {_TABLE} {{\nchain out {{\n"
                f"type filter hook output priority 0; policy accept;\n{ours if ports else ''}"
                f'oifname "{interface}" limit rate over {rate} bytes/second '
                f"burst {max(rate // 10, 3000)} bytes drop\n}}\n}}\n"
            )
        _run("nft", "-f", "-", text=rules)

    # Connections ------------------------------------------------------------------------------

    def _connections(self, venue: str, *, kill: bool) -> int:
        """How many connections there are to the venue; cut, if they are to be."""
        found = 0
        for address, port in self._endpoints[venue]:
            peer = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
            options = ("-K",) if kill else ()
            listed = _run("ss", *options, "-H", "-t", "state", "established", "dst", peer)
            found += len(listed.splitlines())
        return found


def _run(*command: str, text: str = "") -> str:
    """A tool's output.

    Raises:
        RefusedError: It said no, or took too long.
    """
    try:
        done = subprocess.run(
            command, input=text, capture_output=True, text=True, timeout=_TOOL_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise RefusedError("TOOL_SILENT", f"{command[0]} took longer than {_TOOL_S} s") from None
    # ss tells of a kernel that cannot cut sockets in TIME_WAIT, and cuts the others all the same.
    if done.returncode != 0 and command[0] != "ss":
        raise RefusedError("TOOL_REFUSED", f"{' '.join(command)}: {done.stderr.strip()[:200]}")
    return done.stdout
