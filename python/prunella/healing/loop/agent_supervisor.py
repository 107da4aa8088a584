"""Replicas' answers in, and what came of them; who is listened to no more out.

An agent that is dead is easy: it says nothing. The one that does harm is up, punctual with its
heartbeats, and answers late or wrongly. One wrong answer is no reason: the world moves while
somebody looks at it. Whoever is wrong again and again, and more often than right, is set aside
until a person has looked at them.

Late: told more than a second after it was made, while others' heartbeats came in time. Wrong:
unreadable; in another agent's name; about nobody that there is; or our own readings do not show
what it says.
"""

from collections import deque
from collections.abc import Iterator

from prunella.healing.incident import Diagnosis, Topology, replicated

WINDOW_NS = 60_000_000_000
"""How long an answer is remembered: a replica that repeats itself says thirty things in it."""
STRIKES_MAX = 5
"""So many late or wrong answers within the window, and more than good ones, are enough."""
LATE_NS = 1_000_000_000
"""An agent has a second from evidence to advice in all; advice that travelled for so long is about
another moment."""
SLOW_NS = 5_000_000_000
"""After a late heartbeat the bus (or we) may be what is slow, and nobody is called late."""
REPLICAS_MAX = 64
ANSWERS_MAX = 200
FAULTS_MAX = 512

_Fault = tuple[str, str, str]


def fault_of(diagnosis: Diagnosis) -> _Fault:
    """What makes an answer the same one when it is told again."""
    best = diagnosis.hypotheses[0]
    return (diagnosis.agent, best.fault_class, best.culprit)


class AgentSupervisor:
    """Keeps the record of every replica.

    Args:
        topology: Who can be accused.

    Attributes:
        late: Answers that came late, of all replicas.
        wrong: Answers that were wrong, of all replicas.
    """

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._slow_ns = 0
        self._answers: dict[str, deque[tuple[int, str]]] = {}
        self._tellers: dict[_Fault, str] = {}
        self._unfounded: dict[_Fault, int] = {}
        self.late = 0
        self.wrong = 0

    def hear(self, source: str, diagnosis: Diagnosis, now_ns: int) -> bool:
        """Takes one answer; whether it is worth looking at."""
        why = self._nonsense(source, diagnosis)
        if why:
            self.strike(source, why, now_ns)
            return False
        fault = fault_of(diagnosis)
        if len(self._tellers) >= FAULTS_MAX:
            self._tellers.pop(next(iter(self._tellers)))
        self._tellers[fault] = source
        age_ns = now_ns - diagnosis.made_ns
        if age_ns > LATE_NS:
            if now_ns < self._slow_ns:
                return True
            self.late += 1
            self._note(source, f"told {age_ns / 1e9:.1f} s late", now_ns)
        elif now_ns - self._unfounded.get(fault, -WINDOW_NS) >= WINDOW_NS:
            self._note(source, "", now_ns)
        return True

    def hear_heartbeat(self, at_ns: int, now_ns: int) -> None:
        """Takes how long anybody's heartbeat travelled."""
        if now_ns - at_ns > LATE_NS // 2:
            self._slow_ns = now_ns + SLOW_NS

    def strike(self, source: str, why: str, now_ns: int) -> None:
        """Takes it that an answer was wrong."""
        self.wrong += 1
        self._note(source, why, now_ns)

    def unfounded(self, causes: list[Diagnosis], now_ns: int) -> None:
        """Takes it that our own readings do not show what these say."""
        for fault in dict.fromkeys(map(fault_of, causes)):
            source = self._tellers.get(fault)
            if source is not None:
                if len(self._unfounded) >= FAULTS_MAX:
                    self._unfounded.pop(next(iter(self._unfounded)))
                self._unfounded[fault] = now_ns
                self.strike(source, f"our readings show no {fault[1]} of {fault[2]}", now_ns)

    def unreliable(self, now_ns: int) -> Iterator[tuple[str, str]]:
        """Who is late or wrong again and again, and why."""
        for source, answers in self._answers.items():
            while answers and now_ns - answers[0][0] >= WINDOW_NS:
                answers.popleft()
            strikes = [why for _, why in answers if why]
            if len(strikes) >= STRIKES_MAX and 2 * len(strikes) > len(answers):
                yield source, f"{len(strikes)} of {len(answers)} answers: {strikes[-1]}"

    def pardon(self, source: str) -> None:
        """Forgets a replica's record: a person has looked at it, or it has been set aside."""
        self._answers.pop(source, None)

    def _nonsense(self, source: str, diagnosis: Diagnosis) -> str:
        if not diagnosis.hypotheses:
            return "an answer without a hypothesis"
        best = diagnosis.hypotheses[0]
        if replicated(source) != diagnosis.agent:
            return "spoke in another's name"
        if self._topology.get(best.culprit) is None and not best.culprit.startswith("pid:"):
            return "accused somebody who is not there"
        return ""

    def _note(self, source: str, why: str, now_ns: int) -> None:
        if source in self._answers or len(self._answers) < REPLICAS_MAX:
            answers = self._answers.setdefault(source, deque(maxlen=ANSWERS_MAX))
            answers.append((now_ns, why))
