"""What each replica of an agent sees in; what one of them has to judge therefore out.

Rules look at many series at once, and no replica looks at all of them. So each tells the others all
that it sees, again and again; what nobody tells any more is over.
"""

from collections.abc import Callable, Iterable

import msgspec

from prunella.healing.incident import Symptom, SymptomShare

Key = tuple[object, ...]
FORGET_NS = 3_000_000_000
"""What a replica told is believed for so long: longer than it takes to find it dead and to look at
its series ourselves."""
HANDED_OVER = "handed over"


class Shared:
    """Symptoms by who sees them.

    Args:
        key: What makes a symptom the same one when it is told again.
    """

    def __init__(self, key: Callable[[Symptom], Key]) -> None:
        self._key = key
        self._own: dict[Key, Symptom] = {}
        self._others: dict[str, tuple[int, dict[Key, Symptom]]] = {}

    @property
    def own(self) -> tuple[Symptom, ...]:
        """What this replica's own detectors see."""
        return tuple(self._own.values())

    def see(self, symptoms: Iterable[Symptom]) -> list[Symptom]:
        """Takes what own detectors say; gives what is to be judged: an end only if all agree."""
        judged = []
        for symptom in symptoms:
            key = self._key(symptom)
            if symptom.active:
                self._own[key] = symptom
            else:
                self._own.pop(key, None)
                if self._seen(key):
                    continue
            judged.append(symptom)
        return judged

    def hear(self, share: SymptomShare, now_ns: int) -> list[Symptom]:
        """Takes all that another replica sees now; gives what is new and what nobody sees now."""
        before = self._others.get(share.source, (0, {}))[1]
        told = {self._key(each): each for each in share.symptoms if each.active}
        self._others[share.source] = (now_ns, told)
        fresh = [each for key, each in told.items() if key not in self._own]
        return [*fresh, *self._ended(before, now_ns)]

    def forget(self, now_ns: int) -> list[Symptom]:
        """Drops what a mute replica told; the symptoms that nobody sees now, as over."""
        ended = []
        for source, (heard_ns, told) in list(self._others.items()):
            if now_ns - heard_ns >= FORGET_NS:
                del self._others[source]
                ended += self._ended(told, now_ns)
        return ended

    def keep(self, looks: Callable[[str], bool], now_ns: int) -> None:
        """Leaves to others what is theirs to look at now; they have a moment to see it too."""
        left = {key: each for key, each in self._own.items() if not looks(each.entity)}
        if left:
            self._own = {key: each for key, each in self._own.items() if key not in left}
            self._others[HANDED_OVER] = (now_ns, left)

    def _seen(self, key: Key) -> bool:
        return key in self._own or any(key in told for _, told in self._others.values())

    def _ended(self, before: dict[Key, Symptom], now_ns: int) -> list[Symptom]:
        return [
            msgspec.structs.replace(each, active=False, detected_ns=now_ns)
            for key, each in before.items()
            if not self._seen(key)
        ]
