"""Heartbeats of an agent's replicas in; who looks at what, and who tells what, out.

A town with two doctors needs no office that hands out the patients: everybody draws the same lots
for the same name, the doctor with the highest lot is called, and the next highest knows the file.
When a doctor is away, only their own patients go to somebody else, and to the one who knows them.

Each series is looked at by two replicas, so that the second one's detectors are warm when it has
to take over; a fault is told by one alone, by the lots of its culprit. Two replicas may disagree
for a moment who that is, and both tell it: the orchestrator takes the same advice once. A replica
that has just started learns what is normal first, and is asked only where nobody else is.

Source: Thaler and Ravishankar (1998), "Using name-based mappings to increase hit rates", IEEE/ACM
Transactions on Networking 6(1). Rejected: a leader that hands out the work (its death would be a
case of its own); a ring of hashes (uneven shares with few members).

Example:
    >>> team = Team("agent-cpu", 0)
    >>> team.hear(Heartbeat(source="agent-cpu.2", started_ns=0, at_ns=0), 0)
    >>> _ = team.refresh(1_000_000_000)
    >>> [team.tells(each) for each in ("engine", "exchange-primary", "bus", "pid:7")]
    [False, True, False, False]
    >>> _ = team.refresh(3_000_000_000)  # the other one has been mute for three seconds
    >>> team.members, all(team.tells(each) for each in ("engine", "exchange-primary", "bus"))
    (('agent-cpu',), True)
"""

from collections.abc import Iterable
from hashlib import blake2b

from prunella.healing.incident import Heartbeat, replicated

MUTE_NS = 1_200_000_000
"""Two heartbeats and a bit: a replica that is mute for longer is taken for dead by the others. With
a tick it leaves half a second of the two in which its work has to be taken over."""
WARM_NS = 12_000_000_000
"""How long a new replica learns what is normal while others tell: detectors settle for 3 s and warm
up for as long, and a memory of six seconds more gives a scale."""
LOOKERS = 2
"""Who looks at a series: whose it is, and who would take over."""
MEMBERS_MAX = 16
LOTS_MAX = 4096
"""Names come from outside; the memory stays bounded."""


class Team:
    """The replicas of one agent, as one of them sees them.

    Args:
        me: This replica's name.
        now_ns: When it began.

    Attributes:
        members: Who is alive and not disabled, this one included unless disabled.
    """

    def __init__(self, me: str, now_ns: int) -> None:
        self.me = me
        self._started_ns = now_ns
        self._peers: dict[str, tuple[int, int]] = {}
        self._disabled: frozenset[str] = frozenset()
        self._tellers: tuple[str, ...] = (me,)
        self._lookers: tuple[str, ...] = (me,)
        self._lots: dict[tuple[str, str], int] = {}
        self.members: tuple[str, ...] = (me,)

    def hear(self, beat: Heartbeat, now_ns: int) -> None:
        """Takes a heartbeat of anybody; only replicas of the same agent matter."""
        name = beat.source
        if name == self.me or replicated(name) != replicated(self.me):
            return
        if beat.leaving:
            self._peers.pop(name, None)
        elif name in self._peers or len(self._peers) < MEMBERS_MAX:
            self._peers[name] = (now_ns, beat.started_ns)

    def disable(self, names: Iterable[str]) -> None:
        """Takes whom the plane listens to no more; they keep looking, and tell nothing."""
        self._disabled = frozenset(names)

    @property
    def alone(self) -> bool:
        """Whether no other replica is alive."""
        return not self._peers

    @property
    def disabled(self) -> bool:
        """Whether the plane does not listen to this replica."""
        return self.me in self._disabled

    def refresh(self, now_ns: int) -> bool:
        """Forgets the mute; whether anybody's work changed. To be called on each tick."""
        self._peers = {
            name: (heard_ns, started_ns)
            for name, (heard_ns, started_ns) in self._peers.items()
            if now_ns - heard_ns < MUTE_NS
        }
        started = {self.me: self._started_ns} | {n: each[1] for n, each in self._peers.items()}
        serving = sorted(started.keys() - self._disabled)
        warm = [name for name in serving if now_ns - started[name] >= WARM_NS] or serving
        tellers, lookers = tuple(warm), tuple(sorted({*warm, self.me}))
        changed = (tellers, lookers) != (self._tellers, self._lookers)
        self.members, self._tellers, self._lookers = tuple(serving), tellers, lookers
        return changed

    def tells(self, culprit: str) -> bool:
        """Whether a fault of `culprit` is for this replica to tell."""
        return self._first(culprit, self._tellers, 1)

    def looks(self, entity: str) -> bool:
        """Whether this replica looks at the series of `entity`."""
        return self._first(entity, self._lookers, LOOKERS)

    def share(self, entities: Iterable[str]) -> float:
        """For how many of these this replica tells, 0 to 1."""
        told = [self.tells(each) for each in entities]
        return sum(told) / len(told) if told else 0.0

    def _first(self, name: str, members: tuple[str, ...], count: int) -> bool:
        """Whether this replica's lot for `name` is among the `count` highest."""
        if self.me not in members:
            return False
        if len(members) <= count:
            return True
        mine = self._lot(self.me, name)
        return sum(self._lot(each, name) > mine for each in members) < count

    def _lot(self, member: str, name: str) -> int:
        key = (member, name)
        lot = self._lots.get(key)
        if lot is None:
            if len(self._lots) >= LOTS_MAX:
                self._lots.clear()
            digest = blake2b(f"{member}\0{name}".encode(), digest_size=8).digest()
            lot = self._lots[key] = int.from_bytes(digest)
        return lot


def health(*, deaf: bool, late_ns: int) -> float:
    """How well a replica does its job, 0 to 1: it hears readings, and is called in time.

    Args:
        deaf: Whether it hears nothing.
        late_ns: How late its latest tick was done; up to a tenth of a second is as it should be.

    Example:
        >>> health(deaf=False, late_ns=50_000_000), health(deaf=False, late_ns=400_000_000)
        (1.0, 0.25)
    """
    return 0.0 if deaf else min(1.0, 100_000_000 / max(late_ns, 1))
