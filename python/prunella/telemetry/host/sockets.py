"""The kernel's list of TCP connections in; round-trip time, loss and queues by server out.

Asked over netlink (`sock_diag`), which answers for all processes at once. What is reported is by
*peer*: the server's end of the connections that processes of this machine have opened. Of a peer
the worst connection's times count, for one slow connection is what somebody waits for.

Source: linux/inet_diag.h and `struct tcp_info` of linux/tcp.h.
"""

import socket
import struct
from collections.abc import Iterator

from prunella.telemetry.host.files import lines
from prunella.telemetry.processes import Emit
from prunella.telemetry.reading import Reading

PEERS_MAX = 16
"""Those with most traffic; a machine may speak to thousands, and each is a series."""
_CONNECTIONS_MAX = 4096
_SOCK_DIAG = 4
_BY_FAMILY = 20
_DUMP = 0x301  # NLM_F_REQUEST | NLM_F_ROOT | NLM_F_MATCH
_DONE, _ERROR = 3, 2
_ESTABLISHED = 1 << 1
_INFO = 2
_HEADER = struct.Struct("=IHHII")
_REQUEST = struct.Struct("=BBBBI48x")
_QUEUES = struct.Struct("=II")
_TIMEOUT_S = 0.2
_RECEIVE_BYTES = 1 << 16
_EPHEMERAL_FROM = 32768
"""Where ports that a client is given begin, unless the kernel says otherwise."""


class _Peer:
    """What its connections add up to."""

    def __init__(self) -> None:
        self.connections = 0
        self.bytes = 0
        self.rtt_us = 0
        self.jitter_us = 0
        self.receive_queue = 0
        self.send_queue = 0
        self.lost = 0

    def add(self, queues: tuple[int, int], info: bytes) -> None:
        """Takes one connection."""
        self.connections += 1
        self.receive_queue = max(self.receive_queue, queues[0])
        self.send_queue = max(self.send_queue, queues[1])
        if len(info) < 136:
            return  # an older kernel's; there is nothing below it that could be told
        rtt_us, jitter_us = struct.unpack_from("=II", info, 68)
        self.rtt_us = max(self.rtt_us, rtt_us)
        self.jitter_us = max(self.jitter_us, jitter_us)
        self.bytes += sum(struct.unpack_from("=QQ", info, 120))


class SocketCollector:
    """Readings per peer; none where the kernel does not answer."""

    def __init__(self) -> None:
        found = lines("/proc/sys/net/ipv4/ip_local_port_range")
        self._ephemeral = int(found[0].split()[0]) if found else _EPHEMERAL_FROM
        self._again: dict[int, int] = {}
        self._again_by_peer: dict[str, int] = {}

    def collect(self, emit: Emit) -> Iterator[Reading]:
        """One round."""
        peers: dict[str, _Peer] = {}
        again: dict[int, int] = {}
        for peer, cookie, queues, info in self._connections():
            known = peers.setdefault(peer, _Peer())
            known.add(queues, info)
            if len(info) >= 104:
                (again[cookie],) = struct.unpack_from("=I", info, 100)
                known.lost += again[cookie] - self._again.get(cookie, 0)
        self._again = again
        busiest = sorted(peers.items(), key=lambda each: (-each[1].bytes, each[0]))[:PEERS_MAX]
        self._again_by_peer = {
            name: self._again_by_peer.get(name, 0) + found.lost for name, found in busiest
        }
        for name, found in busiest:
            for metric, value in (
                ("host_tcp_peer_connections", found.connections),
                ("host_tcp_rtt_seconds", found.rtt_us / 1e6),
                ("host_tcp_rtt_jitter_seconds", found.jitter_us / 1e6),
                ("host_tcp_peer_retransmits_total", self._again_by_peer[name]),
                ("host_tcp_receive_queue_bytes", found.receive_queue),
                ("host_tcp_send_queue_bytes", found.send_queue),
            ):
                yield emit(metric, "host", float(value), peer=name)

    def _connections(self) -> Iterator[tuple[str, int, tuple[int, int], bytes]]:
        """Of each connection opened from here: peer, the kernel's id, queues, `tcp_info`."""
        count = 0
        for family in (socket.AF_INET, socket.AF_INET6):
            for message in _asked(family):
                local, remote = struct.unpack_from("!HH", message, 4)
                if remote >= self._ephemeral or local < self._ephemeral:
                    continue  # the server's end, or neither
                count += 1
                if count > _CONNECTIONS_MAX:
                    return
                address = message[24 : 28 if family == socket.AF_INET else 40]
                name = socket.inet_ntop(family, address).removeprefix("::ffff:")
                (cookie,) = struct.unpack_from("=Q", message, 44)
                yield f"{name}:{remote}", cookie, _QUEUES.unpack_from(message, 56), _info(message)


def _asked(family: int) -> Iterator[bytes]:
    """The kernel's answers about established connections of one family, header taken off."""
    request = _REQUEST.pack(family, socket.IPPROTO_TCP, 1 << (_INFO - 1), 0, _ESTABLISHED)
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as netlink:
            netlink.settimeout(_TIMEOUT_S)
            size = _HEADER.size + len(request)
            netlink.send(_HEADER.pack(size, _BY_FAMILY, _DUMP, 1, 0) + request)
            while True:
                data = netlink.recv(_RECEIVE_BYTES)
                while len(data) >= _HEADER.size:
                    length, kind = _HEADER.unpack_from(data)[:2]
                    if kind in {_DONE, _ERROR} or length < _HEADER.size:
                        return
                    yield data[_HEADER.size : length]
                    data = data[(length + 3) & ~3 :]
    except OSError:
        return


def _info(message: bytes) -> bytes:
    """The attribute that holds `tcp_info`; empty when there is none."""
    at = 72
    while at + 4 <= len(message):
        length, kind = struct.unpack_from("=HH", message, at)
        if length < 4:
            break
        if kind == _INFO:
            return message[at + 4 : at + length]
        at += (length + 3) & ~3
    return b""
