"""The executor: nothing without a signed verdict, and a target that hangs never stops a tick."""

import threading
from typing import Any

import msgspec
import pytest
from healing_rig import KEY, Rig
from prunella.control import Command, Reply
from prunella.errors import AuthenticationError, UsageError
from prunella.healing.incident import Action, Verdict
from prunella.healing.incident.verdict import sign_verdict
from prunella.healing.loop import assemble, local_stack
from prunella.healing.remediate import ThreadPool
from stack import MemoryLedger, Stack

ACTION = Action(incident="inc-000001", workflow="restart-with-warm-up", target="engine")


def verdict(now_ns: int, **changes: Any) -> Verdict:
    """An allowed restart."""
    plain: dict[str, Any] = {
        "action": ACTION,
        "allowed": True,
        "autonomy": "auto",
        "rules": ("permit-restart-with-warm-up",),
        "reason": "ALLOWED",
        "issued_ns": now_ns,
        "expires_ns": now_ns + 10_000_000_000,
        "policy_sha256": "",
    }
    return Verdict(**{**plain, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {"allowed": False},
        {"expires_ns": 0},
        {"issued_ns": 1 << 62, "expires_ns": (1 << 62) + 1},
        {"expires_ns": 1 << 62},
        {"action": msgspec.structs.replace(ACTION, target="bus")},
        {"action": msgspec.structs.replace(ACTION, incident="inc-000002")},
    ],
)
def test_verdict_that_does_not_fit_starts_nothing(changes: dict[str, Any]) -> None:
    """Denied, expired, not yet valid, too long a life, another target, another incident."""
    rig = Rig()
    rig.run(1)
    before = len(rig.ledger.entries)
    signed = sign_verdict(verdict(rig.stack.now_ns, **changes), KEY)
    with pytest.raises(AuthenticationError):
        rig.plane.executor.start(signed, ACTION, rig.stack.now_ns)
    assert len(rig.ledger.entries) == before
    assert rig.acts() == []


def test_same_workflow_is_not_started_twice_for_an_incident() -> None:
    """Even with a second good verdict."""
    rig = Rig()
    rig.run(3)
    rig.crash_engine()
    rig.run(0.5)
    action = msgspec.structs.replace(ACTION, incident=rig.case.incident.id)
    signed = sign_verdict(verdict(rig.stack.now_ns, action=action), KEY)
    with pytest.raises(UsageError, match="already ran"):
        rig.plane.executor.start(signed, action, rig.stack.now_ns)


class Gate:
    """A target that answers only when it is let."""

    name = "supervisor"

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.open = threading.Event()
        self.asked = threading.Event()
        self.keys: list[str] = []

    def apply(self, command: Command, *, actor: str, reason: str, key: str = "") -> Reply:
        """Waits for the gate."""
        del actor, reason
        self.keys.append(key)
        self.asked.set()
        assert self.open.wait(20)
        return self.stack.apply("supervisor", command, key)


def test_target_that_hangs_does_not_stop_the_loop() -> None:
    """Ticks go on while a call blocks; after its time it is asked again with the same key."""
    rig = Rig()
    gate = Gate(rig.stack)
    pool = ThreadPool()
    rig.ledger = MemoryLedger()
    rig.plane = assemble(
        settings=local_stack(),
        ledger=rig.ledger,
        earlier=[],
        targets={**rig.stack.targets(), "supervisor": gate},
        private_key=KEY,
        pool=pool,
        now_ns=rig.stack.now_ns,
    )
    rig.run(3)
    rig.crash_engine()
    rig.run(0.3)
    assert gate.asked.wait(5)
    rig.run(16)
    assert pool.busy >= 1
    gate.open.set()
    run = rig.plane.executor.active()[0]
    for _ in range(200):
        if run.pending is None:
            break
        rig.run(0.1)
    rig.run(6)
    pool.close()
    assert rig.case.outcome == "cured"
    assert rig.stack.processes["engine"].starts == 1
    assert len(set(gate.keys)) == 1
    assert len(gate.keys) >= 2
