"""The scorer: an injector's truth and trails of real ledger records in, scored rows out."""

import pytest
from prunella.evaluation.fault import FAULTS
from prunella.evaluation.score import FaultRow, IncidentFacts, Truth, incidents, score, strays
from prunella.healing.audit import Entry
from prunella.healing.incident import (
    Action,
    Decision,
    DecisionMade,
    Diagnosis,
    DiagnosisJoined,
    Hypothesis,
    IncidentMoved,
    IncidentOpened,
    IncidentRerooted,
    IncidentState,
    ProbeRead,
    Proposal,
    ProposalJudged,
    RunEnded,
    RunStarted,
    SignedVerdict,
    StepIntended,
    StepReplied,
    Symptom,
    Trail,
    Verdict,
    WindowOpened,
    incident_id,
    kind_of,
)
from prunella.healing.incident.trail import Outcome

MS = 1_000_000
SECOND = 1_000 * MS
START = 1_700_000_000 * SECOND
SIGNED = SignedVerdict(verdict=b"v", signature=b"s", key_id="k")


def symptom(at_ns: int, entity: str) -> Symptom:
    """A symptom raised at that time."""
    return Symptom(
        domain="cpu",
        detector="absence",
        metric="process_up",
        entity=entity,
        kind="absence",
        score=2.0,
        value=0.0,
        expected=1.0,
        onset_ns=at_ns - 50 * MS,
        detected_ns=at_ns,
    )


def diagnosis(at_ns: int, culprit: str, fault_class: str, *, raised_ns: int = 0) -> Diagnosis:
    """An agent's advice, made 20 ms after its symptom was raised."""
    return Diagnosis(
        agent="agent-cpu",
        domain="cpu",
        severity="critical",
        hypotheses=(
            Hypothesis(
                fault_class=fault_class,
                culprit=culprit,
                confidence=0.9,
                evidence=(f"process_up@{culprit}",),
                rule="r",
            ),
        ),
        proposals=(),
        symptoms=(symptom(raised_ns or at_ns - 20 * MS, culprit),),
        reasoner="expert@1",
        made_ns=at_ns,
    )


class Teller:
    """Writes a trail as the healing plane does, one entry after the other."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def put(self, at_ns: int, record: Trail) -> int:
        """Appends a record; its sequence number."""
        seq = len(self.entries) + 1
        self.entries.append(Entry(seq=seq, ts_ns=at_ns, kind=kind_of(record), record=record))
        return seq

    def opens(self, at_ns: int, culprit: str, fault_class: str, *, raised_ns: int = 0) -> str:
        """An incident is opened; its id."""
        record = IncidentOpened(
            culprit=culprit,
            fault_class=fault_class,
            severity="critical",
            onset_ns=at_ns,
            diagnosis=diagnosis(at_ns, culprit, fault_class, raised_ns=raised_ns),
        )
        return incident_id(self.put(at_ns, record))

    def moves(self, at_ns: int, name: str, *states: IncidentState) -> None:
        """The incident goes through these states."""
        for state in states:
            self.put(at_ns, IncidentMoved(incident=name, state=state, reason="r"))

    def acts(self, at_ns: int, name: str, workflow: str, target: str) -> None:
        """Policy allows a workflow, which runs its first step."""
        action = Action(incident=name, workflow=workflow, target=target)
        verdict = Verdict(
            action=action,
            allowed=True,
            autonomy="auto",
            rules=(f"permit-{workflow}",),
            reason="ALLOWED",
            issued_ns=at_ns,
            expires_ns=at_ns + SECOND,
            policy_sha256="0",
        )
        proposal = Proposal(workflow=workflow, target=target, confidence=0.9)
        decision = Decision(
            incident=name, outcome="run", verdicts=(verdict,), signed=SIGNED, reason="ALLOWED"
        )
        self.moves(at_ns, name, IncidentState.DECIDING)
        self.put(at_ns, ProposalJudged(incident=name, proposal=proposal, verdict=verdict))
        self.put(at_ns, DecisionMade(incident=name, decision=decision))
        self.put(
            at_ns,
            RunStarted(
                incident=name,
                workflow=workflow,
                target=target,
                parameters={},
                baseline={},
                signed=SIGNED,
                workflow_sha256="0",
            ),
        )
        self.moves(at_ns, name, IncidentState.REMEDIATING)
        key = f"{name}:0:do"
        self.put(
            at_ns,
            StepIntended(
                incident=name, leg="do", step=0, through="t", command={"type": "restart"}, key=key
            ),
        )
        self.put(at_ns, StepReplied(incident=name, leg="do", step=0, key=key, ok=True, code="OK"))
        self.moves(at_ns, name, IncidentState.VERIFYING)

    def probes(self, at_ns: int, name: str, *results: str) -> None:
        """The verifying probe is read."""
        for result in results:
            self.put(
                at_ns,
                ProbeRead(
                    incident=name,
                    phase="verifying",
                    result=result,  # type: ignore[arg-type] # one of its four words
                    seen=(),
                ),
            )

    def ends(self, at_ns: int, name: str, workflow: str, outcome: Outcome) -> None:
        """The remediation is over."""
        self.put(at_ns, RunEnded(incident=name, workflow=workflow, outcome=outcome))

    def cures(self, at_ns: int, name: str, workflow: str) -> None:
        """The probe turns good, holds for a second, and the incident is resolved."""
        self.probes(at_ns, name, "good")
        self.probes(at_ns + SECOND, name, "held")
        self.ends(at_ns + SECOND, name, workflow, "cured")
        self.moves(at_ns + SECOND, name, IncidentState.RESOLVED)

    def facts(self) -> list[IncidentFacts]:
        """What the scorer reads of it."""
        return incidents(self.entries)


@pytest.fixture
def trail() -> Teller:
    """An empty trail."""
    return Teller()


def truth(
    fault: str = "engine-crash", culprit: str = "engine", *, at_ns: int = START, seconds: int = 20
) -> Truth:
    """A fault commanded at that time, in effect 2 ms later."""
    return Truth(
        fault=fault,
        commanded_ns=at_ns,
        effective_ns=at_ns + 2 * MS,
        reverted_ns=at_ns + seconds * SECOND,
        until_ns=at_ns + seconds * SECOND,
        culprit=culprit,
    )


def only(truth: Truth, trail: Teller) -> FaultRow:
    """The row of the only fault."""
    (row,) = score([truth], trail.facts())
    return row


RESTART = "restart-with-warm-up"


def test_crash_that_was_restarted_is_cured_with_its_times(trail: Teller) -> None:
    """Times are milliseconds since the fault took effect; the proof is the opening entry."""
    name = trail.opens(START + 322 * MS, "engine", "process.crashed")
    trail.acts(START + 340 * MS, name, RESTART, "engine")
    trail.cures(START + 1_502 * MS, name, RESTART)
    row = only(truth(), trail)
    assert row.result == "cured"
    assert row.good
    assert row.detected_ms == 300.0
    assert row.cured_ms == 1_500.0
    assert (row.fault_class, row.culprit) == ("process.crashed", "engine")
    assert (row.workflow, row.actions) == (RESTART, ("restart",))
    assert (row.incident, row.ledger_seq) == ("inc-000001", 1)
    assert not row.rolled_back


def test_cured_is_when_the_probe_became_good_for_the_last_time(trail: Teller) -> None:
    """A probe that was good for a moment has not been good for its hold time."""
    name = trail.opens(START + 322 * MS, "engine", "process.crashed")
    trail.acts(START + 340 * MS, name, RESTART, "engine")
    trail.probes(START + 400 * MS, name, "good", "bad")
    trail.cures(START + 902 * MS, name, RESTART)
    assert only(truth(), trail).cured_ms == 900.0


@pytest.mark.parametrize(
    ("culprit", "fault_class", "workflow"),
    [
        ("exchange-primary", "process.crashed", RESTART),
        ("engine", "cpu.contention", RESTART),
        ("engine", "process.crashed", "contain-cpu-offender"),
    ],
)
def test_wrong_culprit_class_or_remedy_is_wrong_even_if_all_is_well_again(
    trail: Teller, culprit: str, fault_class: str, workflow: str
) -> None:
    """Luck is not a cure: who was blamed, for what, and what was done must all be right."""
    name = trail.opens(START + 322 * MS, culprit, fault_class)
    trail.acts(START + 340 * MS, name, workflow, culprit)
    trail.cures(START + 902 * MS, name, workflow)
    row = only(truth(), trail)
    assert row.result == "wrong"
    assert row.cured_ms is None
    assert not row.good


def test_second_action_beside_the_right_one_is_wrong(trail: Teller) -> None:
    """One cause, one remedy: a victim must not be treated as well."""
    name = trail.opens(START + 322 * MS, "engine", "process.crashed")
    other = trail.opens(START + 330 * MS, "exchange-primary", "venue.silent")
    trail.acts(START + 340 * MS, name, RESTART, "engine")
    trail.acts(START + 350 * MS, other, "reroute-to-backup-venue", "exchange-primary")
    trail.cures(START + 902 * MS, name, RESTART)
    assert only(truth(), trail).result == "wrong"


def test_incident_that_was_only_noted_beside_the_right_one_does_no_harm(trail: Teller) -> None:
    """Nothing was done about it; the row tells the right one, though it came later."""
    trail.opens(START + 322 * MS, "exchange-primary", "venue.silent")
    name = trail.opens(START + 330 * MS, "engine", "process.crashed")
    trail.acts(START + 340 * MS, name, RESTART, "engine")
    trail.cures(START + 902 * MS, name, RESTART)
    row = only(truth(), trail)
    assert (row.result, row.incident) == ("cured", name)


def test_fault_without_an_incident_is_missed(trail: Teller) -> None:
    """Nothing in the ledger, nothing in the row."""
    row = only(truth(), trail)
    assert row.result == "missed"
    assert (row.detected_ms, row.cured_ms, row.ledger_seq) == (None, None, 0)
    assert not row.good


def test_right_diagnosis_that_policy_held_back_is_not_cured(trail: Teller) -> None:
    """Seeing it right and doing nothing is neither a cure nor a mistake about the cause."""
    name = trail.opens(START + 322 * MS, "engine", "process.crashed")
    trail.moves(START + 330 * MS, name, IncidentState.DECIDING, IncidentState.SUPPRESSED)
    row = only(truth(), trail)
    assert row.result == "not cured"
    assert row.detected_ms == 300.0


def test_remedy_that_did_not_help_is_not_cured_and_shown_as_rolled_back(trail: Teller) -> None:
    """The probe ran out of time, the steps were undone, a person was called."""
    name = trail.opens(START + 322 * MS, "engine", "process.crashed")
    trail.acts(START + 340 * MS, name, RESTART, "engine")
    trail.probes(START + 9 * SECOND, name, "timeout")
    trail.ends(START + 10 * SECOND, name, RESTART, "rolled_back")
    trail.moves(START + 10 * SECOND, name, IncidentState.DECIDING, IncidentState.ESCALATED)
    row = only(truth(), trail)
    assert (row.result, row.rolled_back, row.cured_ms) == ("not cured", True, None)


def test_fault_still_being_remedied_is_not_cured(trail: Teller) -> None:
    """Completed is not cured: the incident has to be resolved."""
    name = trail.opens(START + 322 * MS, "engine", "process.crashed")
    trail.acts(START + 340 * MS, name, RESTART, "engine")
    trail.probes(START + 902 * MS, name, "good")
    assert only(truth(), trail).result == "not cured"


@pytest.mark.parametrize("fault", [name for name, f in FAULTS.items() if f.kind == "negative"])
def test_negative_is_left_alone_unless_something_was_done(trail: Teller, fault: str) -> None:
    """An incident may be noted; acting on it is the mistake."""
    negative = truth(fault, "")
    assert only(negative, trail).result == "left alone"
    name = trail.opens(START + 322 * MS, "agent-io", "agent.lost")
    trail.moves(START + 330 * MS, name, IncidentState.DECIDING, IncidentState.SUPPRESSED)
    assert only(negative, trail).good
    name = trail.opens(START + 400 * MS, "agent-io", "agent.lost")
    trail.acts(START + 410 * MS, name, RESTART, "agent-io")
    row = only(negative, trail)
    assert row.result == "acted on"
    assert not row.good


def test_incidents_belong_to_the_fault_in_whose_time_they_were_opened(trail: Teller) -> None:
    """Two faults after each other; an incident before the first is a stray."""
    early = trail.opens(START - SECOND, "engine", "process.crashed")
    trail.acts(START - SECOND, early, RESTART, "engine")
    first = trail.opens(START + 322 * MS, "engine", "process.crashed")
    trail.acts(START + 340 * MS, first, RESTART, "engine")
    trail.cures(START + 902 * MS, first, RESTART)
    frozen_ns = START + 20 * SECOND
    second = trail.opens(frozen_ns + 502 * MS, "exchange-primary", "venue.silent")
    trail.acts(frozen_ns + 510 * MS, second, "reroute-to-backup-venue", "exchange-primary")
    trail.cures(frozen_ns + 902 * MS, second, "reroute-to-backup-venue")
    truths = [truth(), truth("venue-freeze", "exchange-primary", at_ns=frozen_ns)]
    facts = trail.facts()
    rows = score(truths, facts)
    assert [(r.incident, r.result) for r in rows] == [(first, "cured"), (second, "cured")]
    assert [s.id for s in strays(truths, facts)] == [early]


def test_incident_without_an_action_is_no_stray(trail: Teller) -> None:
    """Only what was done outside of every fault's time counts."""
    trail.opens(START - SECOND, "engine", "process.crashed")
    trail.put(
        START - SECOND,
        WindowOpened(component="engine", start_ns=0, end_ns=1, actor="a", reason="r"),
    )
    assert strays([truth()], trail.facts()) == []


def test_symptom_from_before_the_fault_is_no_detection_of_it(trail: Teller) -> None:
    """An agent's older evidence in the same diagnosis must not make detection look faster."""
    name = trail.opens(START + 322 * MS, "engine", "process.crashed", raised_ns=START - SECOND)
    joined = diagnosis(START + 422 * MS, "engine", "process.crashed")
    trail.put(START + 422 * MS, DiagnosisJoined(incident=name, role="cause", diagnosis=joined))
    assert only(truth(), trail).detected_ms == 400.0


def test_advice_that_it_is_over_is_no_detection(trail: Teller) -> None:
    """An agent that says `over` has not detected anything."""
    name = trail.opens(START + 322 * MS, "engine", "process.crashed")
    over = diagnosis(START + 5 * SECOND, "engine", "process.crashed", raised_ns=START + 3 * MS)
    trail.put(START + 5 * SECOND, DiagnosisJoined(incident=name, role="over", diagnosis=over))
    assert only(truth(), trail).detected_ms == 300.0


def test_better_culprit_named_before_acting_is_the_one_that_counts(trail: Teller) -> None:
    """The engine was the victim; the agents found the venue before anything was done."""
    name = trail.opens(START + 302 * MS, "engine", "process.crashed")
    better = diagnosis(START + 402 * MS, "exchange-primary", "venue.silent")
    trail.put(
        START + 402 * MS,
        IncidentRerooted(
            incident=name,
            culprit="exchange-primary",
            fault_class="venue.silent",
            severity="high",
            culprit_before="engine",
            diagnosis=better,
        ),
    )
    trail.acts(START + 410 * MS, name, "reroute-to-backup-venue", "exchange-primary")
    trail.cures(START + 902 * MS, name, "reroute-to-backup-venue")
    row = only(truth("venue-freeze", "exchange-primary"), trail)
    assert (row.result, row.culprit) == ("cured", "exchange-primary")
    assert row.detected_ms == 280.0


def test_first_reflex_at_the_faults_venue_is_told_with_its_time() -> None:
    """Not one at another venue, nor one from before the fault took effect."""
    frozen = truth("venue-freeze", "exchange-primary")
    reflexes = [
        (START - SECOND, "primary", "stale_market"),
        (START + 100 * MS, "backup", "stale_market"),
        (START + 252 * MS, "primary", "stale_market"),
        (START + SECOND, "primary", "breaker_opened"),
    ]
    (row,) = score([frozen], [], reflexes)
    assert row.reflex == "stale market after 250 ms"
