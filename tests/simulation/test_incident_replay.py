"""An incident of the modelled stack, from its ledger alone: thought again, and written up."""

import base64
import html
import http.server
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from closed_loop_rig import Whole
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.protobuf.json_format import ParseDict
from healing_rig import KEY, Rig
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prunella.cli import main
from prunella.errors import UsageError
from prunella.healing.audit import (
    Entry,
    incident_trail,
    read_trail,
    to_html,
    to_markdown,
    trace_incident,
    write_postmortem,
)
from prunella.healing.decide import Policy
from prunella.healing.decide.policy import HERE, read_rules
from prunella.healing.incident import DecisionMade, IncidentOpened, ProposalJudged
from prunella.healing.loop.replay import Replay, Replayed
from prunella.healing.reason import Expert, Prompt, Reasoner, load_knowledge
from prunella.journal import Ledger
from stack import MemoryLedger
from stack_readings import PROCESSES, topology

INCIDENT = "inc-000001"
SCHEMA = (HERE / "schema.cedarschema").read_text()


def _kept(ledger: MemoryLedger, folder: Path) -> Path:
    """The records of a simulated run as a real ledger on the disk, signed."""
    with Ledger(folder, KEY) as book:
        for (_, at_ns, kind, _), (_, _, record) in zip(ledger.entries, ledger.read(), strict=True):
            book.append(kind, record, at_ns)
    return folder


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The engine was killed; agents saw it, the plane restarted it."""
    whole = Whole(1)
    for name in PROCESSES:
        whole.world.start(name)
        whole.run(0.15)
    whole.run(8.0)
    whole.world.kill("engine")
    whole.run(12.0)
    return _kept(whole.ledger, tmp_path_factory.mktemp("crashed") / "ledger")


def _expert(prompt: Prompt) -> Reasoner:
    return Expert(load_knowledge(prompt.domain))


def _replay(
    entries: Iterator[Entry] | list[Entry],
    *,
    policy: Policy | None = None,
    reasoner: Callable[[Prompt], Reasoner] = _expert,
) -> list[Replayed]:
    return Replay(
        policy=policy or Policy.load(),
        reasoner=reasoner,
        topology=topology(),
        key=KEY.public_key(),
    ).run(entries, INCIDENT)


def test_replay_from_the_ledger_comes_out_byte_for_byte(crashed: Path) -> None:
    """Every agent's diagnosis and the decision, from the questions on record."""
    told = _replay(read_trail(crashed))
    assert [each.what for each in told].count("decision") == 1
    assert len(told) >= 3
    assert {each.outcome for each in told} == {"identical"}
    assert all(each.before == each.now and not each.differences for each in told)
    assert any(each.now == "run restart-with-warm-up on engine" for each in told)


def test_rule_that_forbids_more_is_named_with_what_it_looked_at(crashed: Path) -> None:
    """The decision turns into a question to a person, and the new rule is quoted."""
    local = (
        '@id("forbid-local-no-restarts")\n'
        'forbid (principal, action == Action::"restart-with-warm-up", resource)\n'
        'when { context.environment == "local" };'
    )
    policy = Policy(read_rules(HERE / "policies"), SCHEMA, local=local)
    told = _replay(read_trail(crashed), policy=policy)
    decision = next(each for each in told if each.what == "decision")
    assert (decision.outcome, decision.now) == ("different", "ask: LOCAL_RULE")
    said = "\n".join(decision.differences)
    assert "now refused (LOCAL_RULE) by forbid-local-no-restarts" in said
    assert "looks at environment = local" in said
    assert "permit-restart-with-warm-up does not apply now" in said
    assert all(each.outcome == "identical" for each in told if each.what == "diagnosis")


def test_policy_with_another_hash_but_the_same_answer_is_equal(crashed: Path) -> None:
    """A comment changes the hash, not the decision."""
    policy = Policy(read_rules(HERE / "policies") + "\n// a remark\n", SCHEMA)
    decision = next(
        each for each in _replay(read_trail(crashed), policy=policy) if each.what == "decision"
    )
    assert decision.outcome == "equal"
    assert decision.differences[0].startswith("the policy was ")


def test_reasoner_that_is_less_sure_changes_what_policy_says(crashed: Path) -> None:
    """Other knowledge: the finding that differs is named, and policy hears the new confidence."""

    def timid(prompt: Prompt) -> Reasoner:
        knowledge = load_knowledge(prompt.domain)
        rules = tuple(
            msgspec.structs.replace(each, confidence=0.3, supports=()) for each in knowledge.rules
        )
        return Expert(msgspec.structs.replace(knowledge, rules=rules, version=99))

    told = _replay(read_trail(crashed), reasoner=timid)
    first = told[0]
    assert first.what == "diagnosis"
    assert "expert@99 now" in first.differences[0]
    assert any("0.30 by process-gone now" in each for each in first.differences)
    decision = next(each for each in told if each.what == "decision")
    assert decision.now == "ask: CONFIDENCE_LOW"
    assert any("confidence_permille = 300" in each for each in decision.differences)


def test_decision_that_does_not_follow_from_its_record_is_found(crashed: Path) -> None:
    """A ledger can be whole and yet say what the rules do not: the replay shows it."""
    entries = []
    for each in read_trail(crashed):
        record = each.record
        if isinstance(record, ProposalJudged):
            context = {**record.verdict.circumstances, "in_maintenance": True}
            verdict = msgspec.structs.replace(record.verdict, circumstances=context)
            record = msgspec.structs.replace(record, verdict=verdict)
        entries.append(msgspec.structs.replace(each, record=record))
    decision = next(each for each in _replay(entries) if each.what == "decision")
    assert (decision.outcome, decision.now) == ("different", "nothing: MAINTENANCE_WINDOW_OPEN")


def test_record_without_what_a_newer_policy_looks_at_is_told(crashed: Path) -> None:
    """An old ledger under newer rules is denied, as any rule that errs, and the reason is named."""
    entries = []
    for each in read_trail(crashed):
        record = each.record
        if isinstance(record, ProposalJudged):
            context = dict(record.verdict.circumstances)
            del context["in_maintenance"]
            verdict = msgspec.structs.replace(record.verdict, circumstances=context)
            record = msgspec.structs.replace(record, verdict=verdict)
        entries.append(msgspec.structs.replace(each, record=record))
    decision = next(each for each in _replay(entries) if each.what == "decision")
    assert decision.now == "ask: POLICY_ERROR"
    assert "this policy looks at in_maintenance, which is not on record" in decision.differences


def test_forged_signature_of_a_verdict_is_found(crashed: Path) -> None:
    """The recorded verdict must carry the decider's own signature."""
    entries = []
    for each in read_trail(crashed):
        record = each.record
        if isinstance(record, DecisionMade) and record.decision.signed is not None:
            forged = Ed25519PrivateKey.generate().sign(record.decision.signed.verdict)
            signed = msgspec.structs.replace(record.decision.signed, signature=forged)
            decision = msgspec.structs.replace(record.decision, signed=signed)
            record = msgspec.structs.replace(record, decision=decision)
        entries.append(msgspec.structs.replace(each, record=record))
    decision_again = next(each for each in _replay(entries) if each.what == "decision")
    assert "signature is not the decider's" in decision_again.differences[0]


def test_unknown_incident_is_refused(crashed: Path) -> None:
    """Nothing is made up."""
    with pytest.raises(UsageError, match="no incident 'inc-000999'"):
        Replay(policy=Policy.load(), reasoner=_expert, topology=topology()).run(
            read_trail(crashed), "inc-000999"
        )
    with pytest.raises(UsageError, match="no incident 'inc-000999'"):
        write_postmortem(incident_trail(crashed, "inc-000999"))


# Post-mortem -------------------------------------------------------------------------------------


def test_every_sentence_rests_on_entries_of_the_incident(crashed: Path) -> None:
    """The whole chain is told: evidence, cause, verdict, act, proof, each with its numbers."""
    trail = incident_trail(crashed, INCIDENT)
    story = write_postmortem(trail)
    numbers = {each.entry.seq for each in trail.links}
    sentences = [each for section in story.sections for each in section.sentences]
    assert all(each.entries and set(each.entries) <= numbers for each in sentences)
    timeline = next(each for each in story.sections if each.title == "Timeline")
    assert [each.entries[0] for each in timeline.sentences] == sorted(numbers)
    text = to_markdown(story)
    assert f"# {INCIDENT}: process.crashed of engine" in text
    assert "It was resolved at" in text
    assert "allowed restart-with-warm-up on engine by permit-restart-with-warm-up" in text
    assert re.search(r"Step 0: .*restart through supervisor; the answer after .* OK", text)
    assert story.proven == story.entries == len(numbers)


def test_numbers_in_the_story_are_those_of_the_records(crashed: Path) -> None:
    """A sentence's figures are read from the very entry that it names."""
    first = next(iter(read_trail(crashed))).record
    assert isinstance(first, IncidentOpened)
    symptom, best = first.diagnosis.symptoms[0], first.diagnosis.hypotheses[0]
    text = to_markdown(write_postmortem(incident_trail(crashed, INCIDENT)))
    assert f"at {symptom.value:g} where {symptom.expected:g} is normal" in text
    assert f"with confidence {best.confidence:.2f} by the rule {best.rule}" in text


# Trace -------------------------------------------------------------------------------------------


def test_trace_runs_from_the_first_sample_to_the_verified_repair(crashed: Path) -> None:
    """One trace: everything lies inside the incident's span, and the ids are those of last time."""
    trail = incident_trail(crashed, INCIDENT)
    spans = trace_incident(trail)
    root, names = spans[0], [each.name for each in spans]
    assert names[:3] == [INCIDENT, "detect process_up", "diagnose process.crashed"]
    assert {"decide", "do step 0", "verify"} <= set(names)
    assert (root.ok, root.parent_id, root.attributes["prunella.state"]) == (True, "", "resolved")
    for each in spans[1:]:
        assert (each.parent_id, each.trace_id) == (root.span_id, root.trace_id)
        assert root.start_ns <= each.start_ns <= each.end_ns <= root.end_ns
    assert len({each.span_id for each in spans}) == len(spans)
    assert trace_incident(trail) == spans


def test_trace_is_sent_as_otlp(
    crashed: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """What a collector gets is the trace, in OTLP's own message."""
    got: list[tuple[str, bytes]] = []

    class Collector(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        words = ["prunella", "trace", INCIDENT, "--folder", str(crashed), "--otlp", address]
        monkeypatch.setattr("sys.argv", words)
        with pytest.raises(SystemExit) as end:
            main()
    assert (end.value.code or 0) == 0
    assert f"sent to {address}" in capfd.readouterr().out
    ((path, body),) = got
    # Read as the protocol's own definition has it; only identifiers are hexadecimal in its JSON.
    plain = msgspec.json.decode(body)
    for each in plain["resourceSpans"][0]["scopeSpans"][0]["spans"]:
        for name in ("traceId", "spanId", "parentSpanId"):
            each[name] = base64.b64encode(bytes.fromhex(each[name])).decode()
    request = ParseDict(plain, ExportTraceServiceRequest())
    sent = request.resource_spans[0].scope_spans[0].spans
    spans = trace_incident(incident_trail(crashed, INCIDENT))
    assert path == "/v1/traces"
    assert [each.name for each in sent] == [each.name for each in spans]
    assert [each.span_id.hex() for each in sent] == [each.span_id for each in spans]
    assert sent[0].start_time_unix_nano == spans[0].start_ns


def test_hostile_words_become_neither_markup_nor_script(tmp_path: Path) -> None:
    """A name from outside stays a name, in Markdown and on the page."""
    rig = Rig()
    rig.run(1.0)
    evil = "<script>alert(1)</script> [x](http://evil) `#`"
    rig.advise(
        agent="agent-cpu", fault=evil, culprit=f"pid:{evil}", workflow="restart-with-warm-up"
    )
    rig.run(2.0)
    story = write_postmortem(incident_trail(_kept(rig.ledger, tmp_path / "ledger"), INCIDENT))
    page, text = to_html(story), to_markdown(story)
    assert "<script" not in page
    assert html.escape(evil) in page
    assert "<script" not in text.replace("\\<script", "")
    assert "[x](http" not in text
    assert "default-src 'none'" in page
