"""Interfaces and protocols: /proc/net in; bytes, losses, retransmissions and refusals out."""

from collections.abc import Iterator

from prunella.telemetry.host.files import headed, lines
from prunella.telemetry.processes import WINDOW_NS, Emit, Meter
from prunella.telemetry.reading import Reading

_INTERFACE = {
    "host_net_received_bytes_total": (0,),
    "host_net_sent_bytes_total": (8,),
    "host_net_received_packets_total": (1,),
    "host_net_sent_packets_total": (9,),
    "host_net_errors_total": (2, 3, 10, 11),
    "host_net_damaged_total": (2, 5, 10, 13, 14),
    "host_net_dropped_total": (3, 4, 11, 12),
}
"""Columns of /proc/net/dev that are summed: receive has eight, transmit follows."""
_TCP = {
    "CurrEstab": "host_tcp_connections",
    "RetransSegs": "host_tcp_retransmits_total",
    "EstabResets": "host_tcp_resets_total",
    "AttemptFails": "host_tcp_connects_failed_total",
    "InErrs": "host_tcp_segments_damaged_total",
}
_TCP_EXTRA = {
    "ListenOverflows": "host_tcp_listen_overflows_total",
    "TCPTimeouts": "host_tcp_timeouts_total",
    "TCPRcvQDrop": "host_tcp_receive_drops_total",
    "TCPZeroWindowDrop": "host_tcp_zero_window_drops_total",
}
_UDP = {
    "InErrors": "host_udp_receive_errors_total",
    "RcvbufErrors": "host_udp_receive_overflows_total",
}


class NetworkCollector:
    """Readings per interface and per protocol."""

    def __init__(self) -> None:
        self._meter = Meter(window_ns=2 * WINDOW_NS)

    def collect(self, emit: Emit, now_ns: int) -> Iterator[Reading]:
        """What moves within milliseconds."""
        for line in lines("/proc/net/dev")[2:]:
            name, _, rest = line.partition(":")
            values = [int(value) for value in rest.split()]
            for metric, columns in _INTERFACE.items():
                total = float(sum(values[i] for i in columns))
                yield emit(metric, "host", total, interface=name.strip())
        tcp = headed("/proc/net/snmp", "Tcp")
        for name, metric in _TCP.items():
            if name in tcp:
                yield emit(metric, "host", float(tcp[name]))
        if {"RetransSegs", "OutSegs"} <= tcp.keys():
            again = self._meter.ratio("again", tcp["RetransSegs"], now_ns)
            sent = self._meter.ratio("sent", tcp["OutSegs"], now_ns)
            # What is sent again may be counted before what is sent: never more than all of it.
            ratio = min(again / sent, 1.0) if sent else 0.0
            yield emit("host_tcp_retransmit_ratio", "host", ratio)

    def collect_slow(self, emit: Emit) -> Iterator[Reading]:
        """Refusals and losses that are rarer."""
        for path, group, wanted in (
            ("/proc/net/netstat", "TcpExt", _TCP_EXTRA),
            ("/proc/net/snmp", "Udp", _UDP),
        ):
            found = headed(path, group)
            for name, metric in wanted.items():
                if name in found:
                    yield emit(metric, "host", float(found[name]))
