"""Trials: plans, judgements, metrics, gates and proofs, from records and real ledger entries."""

from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from healing_rig import KEY, Rig
from prunella.errors import UsageError
from prunella.evaluation.arm import ARMS, Surroundings
from prunella.evaluation.arm.oracle import Oracle, Revelation, reveal
from prunella.evaluation.fault import FAULTS
from prunella.evaluation.score import incidents
from prunella.evaluation.trial.gates import check
from prunella.evaluation.trial.interval import rate, spread
from prunella.evaluation.trial.judge import judge
from prunella.evaluation.trial.metrics import ArmScores, arm_scores
from prunella.evaluation.trial.plan import QUICK, Plan, make_plan
from prunella.evaluation.trial.proof import check_permissions, clock_pairs, story_gaps
from prunella.evaluation.trial.records import Episode, Proof, Session, Store, Wanted
from prunella.evaluation.trial.report import make_report
from prunella.healing.audit import Entry
from prunella.healing.diagnose import AGENTS
from prunella.healing.incident import IncidentState, RunStarted, StepIntended, Topology, kind_of
from prunella.healing.loop import local_stack
from trial_records import BOOKS, MS, SECOND, START, episode, facts, session


def plan(**changes: object) -> Plan:
    """A small plan."""
    settings: dict[str, object] = {
        "arms": (),
        "faults": (),
        "repeats": 2,
        "seed": 3,
        "pace": QUICK,
    }
    return make_plan(**(settings | changes))  # type: ignore[arg-type]


def scores(*sessions: Session) -> dict[str, ArmScores]:
    """By arm."""
    return {each.arm: arm_scores(each.arm, [each]) for each in sessions}


def test_the_same_seed_gives_every_arm_the_same_episodes_in_the_same_order() -> None:
    """Otherwise the columns could not be compared."""
    first, again, other = plan(), plan(), plan(seed=4)
    assert first == again
    orders = {arm: [s.wanted for s in first.sessions if s.arm == arm] for arm in ARMS}
    assert len({tuple(each) for each in orders.values()}) == 1
    assert [s.wanted for s in other.sessions] != [s.wanted for s in first.sessions]
    wanted = [each for s in first.sessions if s.arm == "expert" for each in s.wanted]
    assert sorted({each.fault for each in wanted}) == sorted(FAULTS)
    assert all(each.severity in FAULTS[each.fault].severities for each in wanted)
    assert len(wanted) == len(set(wanted)) == 6 * len(FAULTS)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"arms": ["wizard"]}, "wizard"),
        ({"faults": ["x"]}, "engine-crash"),
        ({"held_out": ["x.y"]}, "x.y"),
    ],
)
def test_what_is_not_there_is_refused_by_name(wrong: dict[str, object], told: str) -> None:
    """A misspelt fault must not silently leave a hole in the table."""
    with pytest.raises(UsageError, match=told):
        plan(**wrong)


def test_intervals_are_those_of_the_textbook() -> None:
    """Wilson's at 8 of 10, and a bootstrap that holds the median; the censored count as never."""
    share = rate(8, 10)
    assert (round(share.low, 4), round(share.high, 4)) == (0.4902, 0.9433)
    assert rate(0, 5).low == 0.0
    assert rate(5, 5).high == 1.0
    told = spread([float(i) for i in range(1, 101)])
    assert (told.p50, told.p95) == (50.0, 95.0)
    assert told.p50_low is not None
    assert told.p50_high is not None
    assert told.p50_low <= 50.0 <= told.p50_high
    censored = spread([1.0, 2.0, 3.0], censored=1)
    assert (censored.p50, censored.p95) == (2.0, None)


def test_a_fault_that_was_seen_named_and_cured_counts_in_full() -> None:
    """Times are from the physical effect, and to the first answered act."""
    told = judge(episode("engine-crash", facts()))
    assert (told.detected, told.culprit_right, told.class_right) == (True, True, True)
    assert told.success is True
    assert (told.detection_ms, told.acted_ms, told.recovery_ms) == (300.0, 200.0, 900.0)
    assert (told.wrong_acts, told.false_alarms) == (0, 0)


def test_a_cure_with_a_wrong_act_beside_it_is_no_success() -> None:
    """Restarting the agents too might well cure an engine: nobody wants such a doctor."""
    stray = facts("agent-io", "agent.lost", id="inc-000002")
    told = judge(episode("engine-crash", facts(), stray))
    assert told.success is False
    assert (told.wrong_acts, told.false_alarms) == (1, 1)


def test_a_fault_that_went_by_itself_while_nobody_saw_it_is_missed_all_the_same() -> None:
    """Recovery is measured outside; detection is what the ledger says."""
    told = judge(episode("engine-crash"))
    assert not told.detected
    assert told.detection_ms is None
    assert told.told_class == ""


@pytest.mark.parametrize("acted", [True, False])
def test_an_alarm_during_a_negative_is_false_and_an_act_is_wrong(*, acted: bool) -> None:
    """Nothing is broken while the market is busy."""
    told = judge(episode("market-burst", facts(workflow="restart-with-warm-up" if acted else "")))
    assert (told.false_alarms, told.wrong_acts) == (1, int(acted))
    assert told.success is None


def test_what_a_maintenance_window_silenced_is_no_alarm() -> None:
    """It was written down, and left alone because somebody said so before."""
    quiet = facts("agent-io", "agent.lost", workflow="", silenced="MAINTENANCE_WINDOW_OPEN")
    told = judge(episode("planned-restart", quiet))
    assert (told.false_alarms, told.wrong_acts) == (0, 0)


def test_metrics_count_what_the_episodes_say() -> None:
    """Two faults, one missed; one false alarm in a calm minute."""
    run = session(
        "expert",
        episode("engine-crash", facts()),
        episode("engine-crash", cured_ms=0),
        episode("market-burst"),
        Episode(wanted=Wanted(fault="cpu-hog", severity=1, repeat=0), outcome="skipped", why="no"),
        calm=(facts("agent-io", "agent.lost"),),
        calm_s=50.0,
    )
    told = scores(run)["expert"]
    assert told.in_all.detection.recall == rate(1, 2)
    assert told.in_all.detection.precision == rate(1, 2)
    assert told.in_all.remediation.cured == rate(1, 2)
    assert told.in_all.detection.latency_ms.censored == 1
    assert told.in_all.detection.false_alarms_per_hour == 60.0
    assert (told.in_all.episodes, told.in_all.skipped) == (3, 1)
    assert told.confusion == {
        "negative": {"nothing": 1},
        "process.crashed": {"nothing": 1, "process.crashed": 1},
    }
    assert told.by_class["process.crashed"].detection.recall == rate(1, 2)


def test_a_trial_is_believed_only_if_nothing_cures_nothing_and_the_oracle_cures_all() -> None:
    """And only if both were run, and scored."""
    idle = session("nothing", episode("engine-crash", cured_ms=0))
    oracle = session("oracle", episode("engine-crash", facts()))
    expert = session("expert", episode("engine-crash", facts()))
    good = [idle, oracle, expert]
    assert check(scores(*good), good).good

    healed = session("nothing", episode("engine-crash"))
    blind = session("oracle", episode("engine-crash", cured_ms=0))
    for bad in ([healed, oracle], [idle, blind], [idle], [oracle], []):
        assert check(scores(*bad), bad).invalid
    broken_plumbing = session(
        "expert",
        *[Episode(wanted=Wanted(fault="cpu-hog", severity=1, repeat=0), outcome="harness error")],
    )
    assert check(scores(idle, oracle, broken_plumbing), [idle, oracle, broken_plumbing]).invalid


@pytest.mark.parametrize(
    "broken",
    [
        {"proof": Proof(entries=9, acts=1, unpermitted=("#7",), traces=1)},
        {"proof": Proof(problem="entry 3 was altered")},
        {"books": ()},
        {"books": (msgspec.structs.replace(BOOKS, lost=1),)},
        {"books": (msgspec.structs.replace(BOOKS, duplicates=1),)},
        {"replay_equal": False},
    ],
)
def test_what_may_never_happen_fails_the_trial_whatever_the_scores(
    broken: dict[str, object],
) -> None:
    """Policy, orders, ledgers and replays are not a matter of averages, in no arm."""
    idle = session("nothing", episode("engine-crash", cured_ms=0), **broken)
    oracle = session("oracle", episode("engine-crash", facts()))
    told = check(scores(idle, oracle), [idle, oracle])
    assert told.broken
    assert not told.good


def test_goals_are_told_as_met_or_not(tmp_path: Path) -> None:
    """They do not gate, for an honest miss is a result; the report carries them."""
    run = [
        session("nothing", episode("engine-crash", cured_ms=0)),
        session("oracle", episode("engine-crash", facts())),
        session("expert", episode("engine-crash", cured_ms=0)),
    ]
    report = make_report(plan(), run, machine="here")
    met = {goal.name: goal.met for goal in report.gates.goals}
    assert met["recall"] is False
    assert met["wrong rollbacks"] is True
    assert met["remediation p50 after detection"] is None
    assert report.gates.good
    (tmp_path / "report.json").write_bytes(report.to_json())
    assert b'"good": true' in (tmp_path / "report.json").read_bytes()


def test_a_store_gives_back_whole_sessions_and_knows_what_is_done(tmp_path: Path) -> None:
    """A half-written file of a trial that was killed is not there."""
    store = Store(tmp_path)
    run = session("expert", episode("engine-crash", facts()))
    store.put(run)
    (tmp_path / "sessions" / "oracle-000.new").write_bytes(b'{"arm": "ora')
    assert list(store.sessions()) == [run]
    assert store.has("expert", 0)
    assert not store.has("oracle", 0)


def entries(rig: Rig) -> list[Entry]:
    """The rig's ledger as the trail's reader gives it."""
    return [
        Entry(seq=seq, ts_ns=at_ns, kind=kind_of(record), record=record)
        for seq, at_ns, record in rig.ledger.read()
    ]


@pytest.fixture
def healed() -> list[Entry]:
    """The ledger of an engine that crashed and was restarted."""
    rig = Rig()
    rig.run(6)
    rig.crash_engine()
    rig.run(12)
    assert rig.state() is IncidentState.RESOLVED
    return entries(rig)


def test_an_honest_ledger_has_every_act_permitted_every_story_whole_and_every_clock_in_order(
    healed: list[Entry],
) -> None:
    """From the records of a real plane on a simulated stack."""
    acts, unpermitted = check_permissions(healed, KEY.public_key())
    assert (acts, unpermitted) == (1, [])
    assert dict(story_gaps(healed)) == {incidents(healed)[0].id: ""}
    pairs = list(clock_pairs(healed))
    assert len(pairs) >= 3
    assert all(cause_ns <= effect_ns for _, cause_ns, effect_ns in pairs)


def test_an_act_with_a_forged_expired_or_borrowed_permission_is_found(healed: list[Entry]) -> None:
    """Each way to act without leave is told, with its place in the ledger."""
    stranger = Ed25519PrivateKey.generate().public_key()
    assert check_permissions(healed, stranger)[1]
    at = next(i for i, each in enumerate(healed) if isinstance(each.record, RunStarted))
    started = healed[at].record
    assert isinstance(started, RunStarted)
    other = msgspec.structs.replace(started, target="agent-io")
    borrowed = [*healed]
    borrowed[at] = msgspec.structs.replace(healed[at], record=other)
    assert "agent-io" in check_permissions(borrowed, KEY.public_key())[1][0]
    late = [*healed]
    late[at] = msgspec.structs.replace(healed[at], ts_ns=healed[at].ts_ns + 60 * SECOND)
    assert "valid" in check_permissions(late, KEY.public_key())[1][0]
    undecided = [each for each in healed if each.kind != "decision.made"]
    assert "no decision" in check_permissions(undecided, KEY.public_key())[1][0]


@pytest.mark.parametrize("gone", ["decision.verdict", "run.intent", "run.reply", "run.ended"])
def test_a_story_with_a_record_missing_is_incomplete(healed: list[Entry], gone: str) -> None:
    """Whichever link of the chain is taken out."""
    story = [each for each in healed if each.kind != gone]
    assert all(lacking for _, lacking in story_gaps(story))


def test_an_effect_told_before_its_cause_is_out_of_order(healed: list[Entry]) -> None:
    """As when two machines' clocks disagree."""
    shifted = [
        msgspec.structs.replace(each, ts_ns=each.ts_ns + 5 * SECOND)
        if isinstance(each.record, StepIntended)
        else each
        for each in healed
    ]
    assert any(effect_ns < cause_ns for _, cause_ns, effect_ns in clock_pairs(shifted))


def test_the_oracle_says_what_it_is_told_and_that_it_is_over(tmp_path: Path) -> None:
    """It looks at no reading; its door is a file."""
    door = tmp_path / "truth.json"
    make = ARMS["oracle"].agent
    assert make is not None
    topology = Topology(local_stack().components)
    oracle = make(AGENTS["agent-execution"], topology, Surroundings(truth=door))
    mute = make(AGENTS["agent-cpu"], topology, Surroundings(truth=door))
    assert isinstance(oracle, Oracle)
    assert oracle.tick(START) == []
    reveal(
        door,
        Revelation(
            fault_class="process.crashed",
            culprit="engine",
            target="engine",
            workflows=("restart-with-warm-up",),
            effective_ns=START,
        ),
    )
    (told,) = oracle.tick(START)
    assert told.hypotheses[0].culprit == "engine"
    assert told.proposals[0].workflow == "restart-with-warm-up"
    assert oracle.tick(START + 100 * MS) == []
    assert mute.tick(START) == []
    reveal(door, None)
    (over,) = oracle.tick(START + SECOND)
    assert not over.symptoms[0].active
    assert oracle.tick(START + 2 * SECOND) == []


def test_every_arm_can_be_assembled_for_every_domain(tmp_path: Path) -> None:
    """Watches, rules and placeholders of the arms are checked like those that are delivered."""
    topology = Topology(local_stack().components)
    for arm in ARMS.values():
        for spec in AGENTS.values():
            if arm.agent is not None:
                agent = arm.agent(spec, topology, Surroundings(truth=tmp_path / "t"))
                assert agent.tick(START) == []
