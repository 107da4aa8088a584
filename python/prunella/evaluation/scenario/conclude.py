"""Ends a run: trading halted and settled, then books, ledger and replay compared."""

from collections.abc import Sequence

from prunella.control import CancelAll, Halt
from prunella.control.client import SocketTarget
from prunella.control.tokens import load_token
from prunella.errors import JournalError
from prunella.evaluation.books import compare
from prunella.evaluation.report import Report
from prunella.evaluation.scenario.base import Scenario
from prunella.evaluation.score import Truth, incidents, score, strays
from prunella.evaluation.stack import RunningStack
from prunella.healing.audit import read_trail
from prunella.journal import load_public_key, verify_ledger
from prunella.trading.engine import replay

_SETTLE_TIMEOUT_S = 15.0


def conclude(
    stack: RunningStack, scenario: Scenario, truths: Sequence[Truth], *, started_ns: int
) -> Report:
    """Settles the run and hands back its report.

    Raises:
        UsageError: Orders did not settle; then the books could not be compared.
    """
    settle(stack)
    status = stack.get("engine", "/status") or {}
    books = tuple(
        compare(stack, venue, symbol=facts["symbol"]) for venue, facts in status["venues"].items()
    )
    # The healing plane goes first: it must not take the engine's end for a fault.
    stack.supervisor.stop_process("healing")
    stack.supervisor.stop_process("engine")
    facts = incidents(read_trail(stack.home.ledger))
    entries, problem = _verify(stack)
    replayed = replay(stack.home.engine_journal)
    reflexes = replayed.pop("reflexes", [])
    return Report(
        scenario=scenario.name,
        started_ns=started_ns,
        seconds=(stack.clock.now_ns() - started_ns) / 1e9,
        rows=tuple(score(truths, facts, reflexes)),
        books=books,
        strays=tuple(f.id for f in strays(truths, facts)),
        ledger_entries=entries,
        ledger_problem=problem,
        replay=replayed,
    )


def settle(stack: RunningStack) -> None:
    """No new orders, working ones cancelled, the fate of each known."""
    engine = SocketTarget(
        stack.home.socket("engine"),
        token=load_token(stack.home.key("control.token")),
        name="engine",
    )
    for command in (Halt(), CancelAll()):
        engine.apply(command, actor="demo", reason="end of the run")

    def settled() -> bool:
        status = stack.get("engine", "/status")
        return status is not None and all(
            venue["orders_open"] == 0 and venue["orders_unknown"] == 0
            for venue in status["venues"].values()
        )

    stack.wait(settled, "all orders to be settled", timeout_s=_SETTLE_TIMEOUT_S)


def _verify(stack: RunningStack) -> tuple[int, str]:
    """How many ledger entries verify, and what is wrong if anything is."""
    key = load_public_key(stack.home.key("ledger.pub"))
    try:
        return verify_ledger(stack.home.ledger, key).entries, ""
    except JournalError as error:
        return 0, str(error)
