"""Which past incidents and which rules are put beside a question, and what failures weigh."""

import json

import msgspec
from healing_rig import Rig
from prunella.evaluation.model_server import ModelServer
from prunella.healing.incident import IncidentState
from prunella.healing.loop.advice import weighed
from prunella.healing.reason import load_knowledge
from prunella.healing.reason.retrieval import Past, notes_for, similar, words_of
from thinking import symptom, thinking_rig

GONE = words_of([symptom()])
SILENT = words_of([symptom(metric="venue_feed_age_seconds", kind="silence")])


def past(name: str, words: tuple[str, ...], **more: str) -> Past:
    """A closed incident."""
    made = Past(
        incident=name,
        fault_class="process.crashed",
        culprit="engine",
        severity="high",
        domains=("cpu",),
        words=words,
        workflow="w",
    )
    return msgspec.structs.replace(made, **more)


def test_same_evidence_comes_before_the_same_culprit() -> None:
    """Shared evidence is needed; a shared culprit alone is no likeness."""
    pasts = [
        past("a", SILENT),
        past("b", GONE, culprit="bus", fault_class="other"),
        past("c", (*GONE, *SILENT)),
        past("d", GONE),
    ]
    found = similar(past("", GONE), pasts)
    assert [each.incident for each in found] == ["d", "b", "c"]
    assert [each.similarity for each in found] == [1.0, 1.0, 0.5]


def test_at_most_five_are_told_and_none_of_no_likeness() -> None:
    """However long the past is."""
    assert len(similar(past("", GONE), [past(f"p{i}", GONE) for i in range(50)])) == 5
    assert similar(past("", GONE), [past("a", SILENT)]) == ()
    assert similar(past("", GONE), []) == ()


def test_pid_of_a_stranger_is_no_likeness_and_no_difference() -> None:
    """The next hog has another number."""
    one, two = (words_of([symptom(entity=f"pid:{n}")]) for n in (1, 2))
    assert one == two


def test_rules_about_the_same_evidence_are_quoted() -> None:
    """In the words of our own files."""
    notes = notes_for(GONE, [load_knowledge("cpu")])
    assert {"process-gone", "agent-gone", "venue-gone"} <= {each.source for each in notes}
    assert any("no other fault explains it" in each.text for each in notes)


def test_model_is_told_what_became_of_a_similar_incident() -> None:
    """A crash that was healed is in the next question, with its remedy and that it helped."""
    with ModelServer("good") as server:
        rig, _ = thinking_rig(server)
        rig.run(3)
        rig.crash_engine()
        rig.run(45)
        assert rig.state() is IncidentState.RESOLVED
        rig.advise(agent="agent-cpu", fault="disk.slow", culprit="bus")
        rig.run(2)
        (asked,) = server.asked
    (precedent,) = json.loads(asked.question)["precedents"]
    assert precedent["workflow"] == "restart-with-warm-up"
    assert precedent["cured"] is True
    assert json.loads(asked.question)["notes"]


def test_remedy_that_never_helped_before_is_believed_less() -> None:
    """Twice rolled back for the same cause: the expert is less sure the third time."""
    rig = Rig()
    rig.run(3)
    for _ in range(3):
        before = len(rig.cases)
        rig.crash_engine()
        rig.run(2)
        case = rig.cases[-1]
        assert len(rig.cases) == before + 1
        told = weighed(case, rig.plane.book)
        if before == 2:
            assert told[0].confidence < 0.7
        else:
            assert told[0].confidence == 0.9
            rig.run(6)
            case.outcome = "rolled_back"
            rig.run(40)
