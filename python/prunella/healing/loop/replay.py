"""A ledger's entries, a policy and a reasoner in; an incident thought and decided again out.

The ledger holds each question to a reasoner in its exact bytes, and what policy was told. So both
can be asked again, on any machine and years later. With the same rules and knowledge every
diagnosis and decision must come out the same, byte for byte; with others, what differs is told
with its reason.

What cannot be asked again is taken from the record: a model's answer, and which workflows could be
carried out at all (that was read from telemetry). A proposal that policy was never asked about has
no circumstances on record; where a replay needs one, it says so and stops there.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from prunella.errors import UsageError
from prunella.healing.audit import Entry
from prunella.healing.decide import Policy, explain, judge_again, outcome_of
from prunella.healing.diagnose.diagnostician import diagnosis_of
from prunella.healing.incident import (
    Decision,
    DecisionMade,
    Diagnosis,
    DiagnosisJoined,
    IncidentOpened,
    IncidentRerooted,
    Proposal,
    ProposalJudged,
    Topology,
    Verdict,
)
from prunella.healing.loop.advice import weighed
from prunella.healing.loop.book import Book
from prunella.healing.reason import Prompt, Reasoner

Outcome = Literal["identical", "equal", "different", "unknown"]
"""The same bytes; the same but for the name or hash of who said so; another; not to be told."""

_PROMPTS = msgspec.msgpack.Decoder(Prompt)
_ENCODER = msgspec.msgpack.Encoder(order="deterministic")


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """One diagnosis or decision, then and now.

    Attributes:
        entry: Number of the ledger entry that holds the first.
        differences: Why the second is not the first.
    """

    entry: int
    what: Literal["diagnosis", "decision"]
    outcome: Outcome
    before: str
    now: str
    differences: tuple[str, ...] = ()


class Replay:
    """Thinks and decides an incident again.

    Args:
        policy: Whose rules.
        reasoner: For a question, whoever is to answer it.
        topology: The components.
        key: The decider's public key, to check the recorded signatures; None: they are not checked.
    """

    def __init__(
        self,
        *,
        policy: Policy,
        reasoner: Callable[[Prompt], Reasoner],
        topology: Topology,
        key: Ed25519PublicKey | None = None,
    ) -> None:
        self._policy = policy
        self._reasoner = reasoner
        self._topology = topology
        self._key = key

    def run(self, entries: Iterable[Entry], incident: str) -> list[Replayed]:
        """Every diagnosis and decision of the incident, in order.

        Args:
            entries: The whole ledger, oldest first: what an incident's decision rests on may be
                older than the incident.
            incident: Its id.

        Raises:
            UsageError: The ledger holds no such incident.
        """
        book, told, found = Book(), list[Replayed](), False
        judged: dict[tuple[str, str], Verdict] = {}
        for entry in entries:
            record = entry.record
            if entry.incident == incident:
                found = True
                if isinstance(record, IncidentOpened | DiagnosisJoined | IncidentRerooted):
                    again = self._diagnose(entry.seq, record.diagnosis)
                    if again is not None:
                        told.append(again[0])
                        record = msgspec.structs.replace(record, diagnosis=again[1])
                elif isinstance(record, ProposalJudged):
                    judged[record.proposal.workflow, record.proposal.target] = record.verdict
                elif isinstance(record, DecisionMade):
                    advice = weighed(book.cases[incident], book)
                    told.append(self._decide(entry.seq, record.decision, advice, judged))
                    judged = {}
            book.fold(entry.seq, record, entry.ts_ns)
        if not found:
            raise UsageError(f"the ledger holds no incident {incident!r}")
        return told

    # Diagnoses ------------------------------------------------------------------------------

    def _diagnose(self, seq: int, before: Diagnosis) -> tuple[Replayed, Diagnosis] | None:
        """The diagnosis made again, and what to go on with; None where nobody was asked."""
        if not before.prompt:
            return None
        prompt = _PROMPTS.decode(before.prompt)
        reasoner = self._reasoner(prompt)
        culprit = before.hypotheses[0].culprit
        known = {each.fault_class for each in before.hypotheses}
        found = reasoner.diagnose(prompt).findings
        mine = [
            each
            for each in found
            if each.hypothesis.culprit == culprit
            # Whether a finding had been there for its hold time, one question cannot show.
            and (each.hold_s <= 0 or each.hypothesis.fault_class in known)
        ]
        others = [f"{each.hypothesis.fault_class} of {each.hypothesis.culprit}" for each in found]
        if not mine:
            missing = f"{reasoner.name} finds {', '.join(others) or 'nothing'}, not {culprit}"
            replayed = Replayed(
                entry=seq,
                what="diagnosis",
                outcome="different",
                before=_advice(before),
                now="nothing of it",
                differences=(missing,),
            )
            return replayed, before
        now = msgspec.structs.replace(
            diagnosis_of(prompt, mine, reasoner.name), prompt=before.prompt
        )
        differences = tuple(_compare(before, now))
        named = msgspec.structs.replace(now, reasoner=before.reasoner)
        return Replayed(
            entry=seq,
            what="diagnosis",
            outcome=_outcome(before, now, named),
            before=_advice(before),
            now=_advice(now),
            differences=differences,
        ), now

    # Decisions ------------------------------------------------------------------------------

    def _decide(
        self,
        seq: int,
        before: Decision,
        advice: tuple[Proposal, ...],
        judged: Mapping[tuple[str, str], Verdict],
    ) -> Replayed:
        """The decision made again from the advice, each proposal judged in its circumstances."""
        verdicts: list[Verdict] = []
        differences: list[str] = []
        for proposal in advice:
            verdict = judged.get((proposal.workflow, proposal.target))
            if verdict is None:
                differences.append(
                    f"{proposal.workflow} on {proposal.target} would be asked about next; what was "
                    "so for it is not on record, because policy was not asked then"
                )
                return _decided(seq, before, "unknown", "not to be told", differences)
            again = judge_again(
                verdict, self._policy, kind=self._kind(proposal), confidence=proposal.confidence
            )
            differences += explain(verdict, again, self._policy)
            verdicts.append(again)
            if again.allowed:
                break
        outcome, reason = outcome_of(verdicts)
        signed = before.signed
        if signed is not None:
            differences += self._why_unsigned(seq, before)
            # The private key is not needed: what was signed must say what comes out now.
            said = msgspec.msgpack.decode(signed.verdict, type=Verdict)
            signed = signed if outcome == "run" and said == verdicts[-1] else None
        now = Decision(
            incident=before.incident,
            outcome=outcome,
            verdicts=tuple(verdicts),
            signed=signed,
            reason=reason,
        )
        same = (now.outcome, now.reason, _named(now)) == (
            before.outcome,
            before.reason,
            _named(before),
        )
        if _encoded(now) == _encoded(before) and not differences:
            return _decided(seq, before, "identical", _told(now), differences)
        hashes = {each.policy_sha256 for each in before.verdicts}
        if hashes and hashes != {self._policy.sha256}:
            then = ", ".join(each[:12] for each in sorted(hashes))
            differences.append(f"the policy was {then}, now it is {self._policy.sha256[:12]}")
        return _decided(seq, before, "equal" if same else "different", _told(now), differences)

    def _kind(self, proposal: Proposal) -> str:
        component = self._topology.get(proposal.target)
        return "foreign" if component is None else component.kind

    def _why_unsigned(self, seq: int, before: Decision) -> Iterator[str]:
        if self._key is None or before.signed is None:
            return
        try:
            self._key.verify(before.signed.signature, before.signed.verdict)
        except InvalidSignature:
            yield f"entry {seq}: the recorded verdict's signature is not the decider's"


def _outcome(before: msgspec.Struct, now: msgspec.Struct, named: msgspec.Struct) -> Outcome:
    if _encoded(now) == _encoded(before):
        return "identical"
    return "equal" if _encoded(named) == _encoded(before) else "different"


def _encoded(record: msgspec.Struct) -> bytes:
    return _ENCODER.encode(record)


def _compare(before: Diagnosis, now: Diagnosis) -> Iterator[str]:
    """What of the advice differs."""
    if before.reasoner != now.reasoner:
        yield f"{before.reasoner} reasoned then, {now.reasoner} now"
    then = {each.fault_class: each for each in before.hypotheses}
    fresh = {each.fault_class: each for each in now.hypotheses}
    for name, each in fresh.items():
        if name not in then:
            yield f"{name} is found now ({each.confidence:.2f}), by the rule {each.rule}"
        elif then[name] != each:
            old = then[name]
            yield (
                f"{name}: {old.confidence:.2f} by {old.rule} then, {each.confidence:.2f} by "
                f"{each.rule} now"
            )
    for name, each in then.items():
        if name not in fresh:
            yield f"{name} is not found now: the rule {each.rule} said it"
    if before.proposals != now.proposals:
        yield f"proposed then: {_remedies(before)}; now: {_remedies(now)}"
    if before.severity != now.severity:
        yield f"the severity was {before.severity}, now it is {now.severity}"


def _remedies(diagnosis: Diagnosis) -> str:
    return (
        ", ".join(
            f"{each.workflow} on {each.target} ({each.confidence:.2f})"
            for each in diagnosis.proposals
        )
        or "nothing"
    )


def _advice(diagnosis: Diagnosis) -> str:
    best = diagnosis.hypotheses[0]
    return (
        f"{diagnosis.agent}: {best.fault_class} of {best.culprit} ({best.confidence:.2f}), "
        f"{_remedies(diagnosis)}"
    )


def _decided(
    seq: int, before: Decision, outcome: Outcome, now: str, differences: list[str]
) -> Replayed:
    return Replayed(
        entry=seq,
        what="decision",
        outcome=outcome,
        before=_told(before),
        now=now,
        differences=tuple(differences),
    )


def _named(decision: Decision) -> tuple[str, str]:
    if decision.outcome != "run":
        return "", ""
    action = decision.verdicts[-1].action
    return action.workflow, action.target


def _told(decision: Decision) -> str:
    workflow, target = _named(decision)
    return f"run {workflow} on {target}" if workflow else f"{decision.outcome}: {decision.reason}"
