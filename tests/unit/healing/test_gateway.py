"""The gateway against a scripted model over real HTTP: good, slow, broken and hostile answers."""

import json
import socket
import threading
from collections.abc import Iterator

import msgspec
import pytest
from prunella.evaluation.model_server import BEHAVIOURS, ModelServer, Reply, good, opinion
from prunella.healing.reason import EndpointSettings, ReasonSettings
from prunella.values import ManualClock
from thinking import NOW_NS, consult, endpoint, gateway, prompt, settings, symptom, writer


@pytest.fixture
def server() -> Iterator[ModelServer]:
    """A good model."""
    with ModelServer("good") as made:
        yield made


def test_good_answer_is_believed(server: ModelServer) -> None:
    """Cause, culprit, workflow, confidence and evidence come back as records of ours."""
    said = consult(settings(server))
    assert said.by_model
    assert said.reasoner == "m0/m"
    finding = said.answer.findings[0]
    assert finding.hypothesis.fault_class == "process.crashed"
    assert finding.hypothesis.evidence == ("process_up@engine",)
    assert finding.hypothesis.rule == "model:m0"
    assert finding.proposal is not None
    assert (finding.proposal.workflow, finding.proposal.target) == (
        "restart-with-warm-up",
        "engine",
    )
    assert said.attempts[0].tokens_in > 0
    assert len(said.attempts[0].answer_sha256) == 64


@pytest.mark.parametrize("kind", ["openai", "azure", "anthropic"])
@pytest.mark.parametrize("form", ["json_schema", "text"])
def test_every_wire_format_reaches_the_model(server: ModelServer, kind: str, form: str) -> None:
    """The same question, three formats, with and without an enforced schema; the key arrives."""
    one = endpoint(server, kind=kind, form=form, key_env="SOME_KEY")
    said = consult(ReasonSettings(endpoints={"m0": one}), m0="key-canary-1")
    assert said.by_model, said.attempts
    shown = server.asked[0].headers
    name = {"openai": "authorization", "azure": "api-key", "anthropic": "x-api-key"}[kind]
    assert shown[name].endswith("key-canary-1")
    assert "key-canary-1" not in server.asked[0].system + server.asked[0].question


@pytest.mark.parametrize(
    ("behaviour", "outcome"),
    [
        ("truncated", "ANSWER_TRUNCATED"),
        ("invalid", "ANSWER_NOT_JSON"),
        ("empty", "ANSWER_EMPTY"),
        ("wrong-target", "ANSWER_TARGET_FOREIGN"),
        ("invented-evidence", "ANSWER_EVIDENCE_UNKNOWN"),
        ("busy-429", "HTTP_429"),
        ("broken-503", "HTTP_503"),
        ("moved-302", "HTTP_302"),
    ],
)
def test_unusable_answer_is_named_and_the_next_is_asked(
    server: ModelServer, behaviour: str, outcome: str
) -> None:
    """The chain goes on; the next endpoint's good answer counts."""
    with ModelServer(behaviour) as broken:
        said = consult(settings(broken, server))
    assert [each.outcome for each in said.attempts] == [outcome, "answered"]
    assert said.reasoner == "m1/m"


def test_expert_answers_when_nobody_else_does() -> None:
    """The last link: the same question, answered by rules."""
    with ModelServer("broken-503") as broken:
        said = consult(settings(broken))
    assert not said.by_model
    assert said.reasoner.startswith("expert@")


def test_slow_model_is_left_at_the_deadline() -> None:
    """A model that thinks for half a minute costs what the settings allow."""
    with ModelServer("slow") as slow:
        one = endpoint(slow, timeout_s=0.3, attempts=3)
        said = consult(ReasonSettings(endpoints={"m0": one}))
    assert [each.outcome for each in said.attempts] == ["UNREACHABLE_timeout"]


def test_server_that_drips_is_cut_off_at_the_deadline() -> None:
    """One byte at a time resets no clock: the deadline is for the whole answer."""
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def drip() -> None:
        connection, _ = listener.accept()
        try:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while not ended.wait(0.05):
                connection.sendall(b" ")
        except OSError:
            return

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    one = EndpointSettings(
        url=f"http://127.0.0.1:{listener.getsockname()[1]}", model="m", timeout_s=0.5, attempts=1
    )
    said = consult(ReasonSettings(endpoints={"m0": one}))
    assert [each.outcome for each in said.attempts] == ["UNREACHABLE_timeout"]
    thread.join(5)
    assert not thread.is_alive(), "the connection was left open"
    ended.set()
    listener.close()


def test_second_attempt_tells_what_was_wrong(server: ModelServer) -> None:
    """An unusable answer is asked for once more, with the code of its fault."""
    answers = iter([Reply(text="no"), None])
    server.behaviour = lambda asked: next(answers) or good(asked)
    said = consult(ReasonSettings(endpoints={"m0": endpoint(server, attempts=2)}))
    assert [each.outcome for each in said.attempts] == ["ANSWER_NOT_JSON", "answered"]
    assert "ANSWER_NOT_JSON" in server.asked[1].system


def test_endpoint_that_failed_rests() -> None:
    """It is not asked again at once, and for as long as it wants; then it is."""
    clock = ManualClock(start_ns=NOW_NS)
    with ModelServer("busy-429") as busy:
        asking = gateway(settings(busy, cache_s=0), clock)
        question = prompt()
        brief = writer().write(question)
        asking.consult(question, brief)
        assert asking.consult(question, brief).attempts[0].outcome == "RESTING"
        clock.advance(31 * 10**9)
        assert asking.consult(question, brief).attempts[0].outcome == "HTTP_429"
        assert len(busy.asked) == 2


def test_endpoint_without_its_key_is_not_asked(server: ModelServer) -> None:
    """A key that is not there is a fact about the endpoint, not an error of the plane."""
    reason = ReasonSettings(endpoints={"m0": endpoint(server, key_env="NO_SUCH_KEY")})
    assert consult(reason).attempts[0].outcome == "NO_KEY"
    assert server.asked == []


FAULTS = {
    "cause": ("made.up", "ANSWER_CAUSE_UNKNOWN"),
    "culprit": ("agent-io", "ANSWER_CULPRIT_FOREIGN"),
    "workflow": ("rm -rf /", "ANSWER_WORKFLOW_UNKNOWN"),
    "target": ("pid:1", "ANSWER_TARGET_FOREIGN"),
    "parameters": ([{"name": "pid", "value": "1"}], "ANSWER_PARAMETER_INVALID"),
    "severity": ("apocalyptic", "ANSWER_SCHEMA"),
    "priority": (7, "ANSWER_SCHEMA"),
    "confidence_permille": (1001, "ANSWER_SCHEMA"),
    "evidence": ([], "ANSWER_EVIDENCE_NONE"),
    "shell": ("reboot", "ANSWER_SCHEMA"),
}


@pytest.mark.parametrize("field", FAULTS)
def test_answer_with_one_wrong_field_is_refused(server: ModelServer, field: str) -> None:
    """Whatever the endpoint promised to enforce, every field is checked here."""
    value, outcome = FAULTS[field]
    server.behaviour = lambda asked: Reply(
        text=json.dumps(json.loads(good(asked).text) | {field: value})
    )
    said = consult(settings(server))
    assert said.attempts[0].outcome == outcome
    assert not said.by_model


def test_workflow_that_does_not_cure_the_named_cause_is_refused(server: ModelServer) -> None:
    """The answer must at least agree with itself."""
    server.behaviour = lambda asked: Reply(
        text=json.dumps(json.loads(good(asked).text) | {"workflow": "back-off-and-shed"})
    )
    assert consult(settings(server)).attempts[0].outcome == "ANSWER_WORKFLOW_MISMATCH"


def test_model_that_does_not_know_is_believed(server: ModelServer) -> None:
    """`unknown` is an answer, and no finding."""
    server.behaviour = lambda asked: Reply(text=json.dumps(opinion(asked)))
    said = consult(settings(server))
    assert said.by_model
    assert said.answer.findings == ()


def test_fenced_answer_is_read(server: ModelServer) -> None:
    """Many models put a fence about JSON when nothing stops them."""
    server.behaviour = lambda asked: Reply(text=f"```json\n{good(asked).text}\n```")
    assert consult(settings(server)).by_model


def test_hostile_model_can_only_say_what_the_schema_offers() -> None:
    """Its worst plan is still one of our workflows on a component that the evidence leads to."""
    with ModelServer("hostile") as server:
        question = prompt(
            symptom(metric="venue_feed_age_seconds", kind="silence", labels={"venue": "primary"})
        )
        said = consult(settings(server), question)
    finding = said.answer.findings[0]
    assert finding.proposal is not None
    assert finding.proposal.target in {"engine", "exchange-primary", "host"}
    assert "<script>" in finding.proposal.impact, "text is shown to people as text"


def test_same_prompt_gives_the_same_question() -> None:
    """What a recording is found by does not depend on order or chance."""
    first, again = writer().write(prompt()), writer().write(prompt())
    assert first.sha256 == again.sha256
    other = writer().write(prompt(symptom(value=1.0)))
    assert other.sha256 != first.sha256


def test_schema_allows_only_whom_evidence_leads_to() -> None:
    """The engine, what it depends on, and nobody else may be blamed."""
    brief = writer().write(prompt())
    assert set(brief.culprits) == {"engine", "exchange-primary", "exchange-backup", "host"}


@pytest.mark.parametrize("name", sorted(BEHAVIOURS))
def test_no_behaviour_raises(name: str) -> None:
    """Whatever a model does, the plane gets a consultation."""
    with ModelServer(name) as server:
        one = endpoint(server, timeout_s=0.4, attempts=1)
        said = consult(ReasonSettings(endpoints={"m0": one}))
    assert said.attempts
    assert msgspec.msgpack.encode(said)
