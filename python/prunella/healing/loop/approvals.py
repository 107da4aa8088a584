"""Signatures of people in; which actions they allow out. They live in the ledger, over restarts.

A person signs one action: incident, workflow, target and every parameter. Whoever wants it done
with another process id or at another venue has to ask again. A signature counts while it is good,
once: a workflow runs at most once for an incident, and a nonce is taken at most once ever.
"""

from collections.abc import Callable, Mapping

import msgspec

from prunella.control import SignedAct
from prunella.control.acts import Parts, why_not_signed
from prunella.errors import AuthenticationError, UsageError
from prunella.healing.decide.reasons import SIGNABLE_REASONS
from prunella.healing.incident import Action, ApprovalGiven, IncidentState, Verdict
from prunella.healing.loop.book import Book, Case

KIND = "approval"

Persons = Callable[[], Mapping[str, str]]
"""Gives the names and public keys of who may sign, as they are now."""


class ApprovalView(msgspec.Struct, frozen=True, kw_only=True):
    """One action that waits for people.

    Attributes:
        action: What is to be signed.
        reason: Why it waits.
        rules: Which rules say so.
        fault_class: What it is to cure.
        confidence_permille: How sure the advice is.
        needed: How many people have to sign.
        signed: Who has.
        since_ns: Since when it waits, nanoseconds UTC.
    """

    action: Action
    reason: str
    rules: tuple[str, ...]
    fault_class: str
    confidence_permille: int
    needed: int
    signed: tuple[str, ...]
    since_ns: int


def approval_parts(action: Action, *, approve: bool) -> Parts:
    """What a person signs about an action."""
    return (action.incident, action.workflow, action.target, action.parameters, approve)


class Approvals:
    """Counts the signatures that hold.

    Args:
        book: What the ledger says.
        persons: Who may sign.
    """

    def __init__(self, book: Book, persons: Persons) -> None:
        self._book = book
        self._persons = persons

    def waiting(self, now_ns: int) -> tuple[ApprovalView, ...]:
        """Every action that only people's signatures are missing for, oldest first."""
        return tuple(
            self._view(case, verdict, now_ns)
            for case in self._book.live()
            for verdict in signable(case)
            if not self.is_rejected(verdict.action)
        )

    def check(
        self, incident: str, workflow: str, *, act: SignedAct, approve: bool, now_ns: int
    ) -> Action:
        """The action that the signature is good for.

        Raises:
            UsageError: Nothing waits for it.
            AuthenticationError: The signature does not hold, or was used before.
        """
        found = [
            each.action
            for each in self.waiting(now_ns)
            if each.action.incident == incident and workflow in {"", each.action.workflow}
        ]
        if len(found) != 1:
            waiting = ", ".join(each.workflow for each in found) or "nothing"
            raise UsageError(f"{incident}: expected one action that waits, found {waiting}")
        action = found[0]
        if act.nonce in self._book.nonces:
            raise AuthenticationError("the signature was used before")
        parts = approval_parts(action, approve=approve)
        why = why_not_signed(KIND, parts, act, self._persons(), now_ns=now_ns)
        if why:
            raise AuthenticationError(why)
        return action

    def parameters(self, incident: str, workflow: str, target: str) -> dict[str, str] | None:
        """The parameters that somebody signed last; None when nobody did."""
        for each in reversed(self._book.approvals.get(incident, ())):
            if each.approve and (each.workflow, each.target) == (workflow, target):
                return each.parameters
        return None

    def people(self, action: Action, now_ns: int) -> frozenset[str]:
        """Who signed exactly this action, with signatures that hold now."""
        return frozenset(
            each.person
            for each in self._book.approvals.get(action.incident, ())
            if each.approve
            and (each.workflow, each.target, each.parameters)
            == (action.workflow, action.target, action.parameters)
            and not self._why_not(each, now_ns)
        )

    def is_rejected(self, action: Action) -> bool:
        """Whether somebody said no to this workflow here, with whatever parameters, at any time."""
        return any(
            not each.approve and (each.workflow, each.target) == (action.workflow, action.target)
            for each in self._book.approvals.get(action.incident, ())
        )

    def _why_not(self, given: ApprovalGiven, now_ns: int) -> str:
        action = Action(
            incident=given.incident,
            workflow=given.workflow,
            target=given.target,
            parameters=given.parameters,
        )
        act = SignedAct(
            person=given.person,
            nonce=given.nonce,
            until_ns=given.until_ns,
            signature=given.signature,
        )
        parts = approval_parts(action, approve=given.approve)
        return why_not_signed(KIND, parts, act, self._persons(), now_ns=now_ns)

    def _view(self, case: Case, verdict: Verdict, now_ns: int) -> ApprovalView:
        two = verdict.circumstances.get("two_person") is True
        return ApprovalView(
            action=verdict.action,
            reason=verdict.reason,
            rules=verdict.rules,
            fault_class=case.incident.fault_class,
            confidence_permille=int(verdict.circumstances.get("confidence_permille", 0)),
            needed=2 if two else 1,
            signed=tuple(sorted(self.people(verdict.action, now_ns))),
            since_ns=verdict.issued_ns,
        )


def signable(case: Case) -> list[Verdict]:
    """The last decision's verdicts that nothing but a signature is missing for."""
    if case.incident.state is not IncidentState.ESCALATED or not case.incident.decisions:
        return []
    return [
        each for each in case.incident.decisions[-1].verdicts if each.reason in SIGNABLE_REASONS
    ]
