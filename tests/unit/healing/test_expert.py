"""Knowledge files and prompts in, findings out."""

import msgspec
import pytest
from prunella.errors import ConfigError
from prunella.healing.diagnose import AGENTS
from prunella.healing.incident import Component, Symptom
from prunella.healing.reason import Answer, Expert, Fact, Prompt, load_knowledge
from prunella.healing.reason.knowledge import parse_knowledge
from prunella.telemetry import DOMAINS, Domain

RULE = """
domain = "http"
version = 3
[[rules]]
name = "overload"
because = "It says so."
severity = "high"
fault_class = "order_path.overloaded"
culprit = "exchange-${venue}"
culprit_kinds = ["venue"]
confidence = 0.9
needs = [{ kind = "error_burst", metric = "requests_total" }]
[rules.proposal]
workflow = "back-off-and-shed"
impact = "Fewer orders go to ${culprit}."
"""
COMPONENTS = (
    Component(name="exchange-primary", kind="venue"),
    Component(name="engine", kind="process", depends_on=("exchange-primary",)),
)


def symptom(**changes: object) -> Symptom:
    """A burst of errors at the primary venue, changed as wanted."""
    plain = Symptom(
        domain="http",
        detector="error_burst",
        metric="requests_total",
        entity="engine",
        kind="error_burst",
        score=2.0,
        value=0.6,
        expected=0.0,
        onset_ns=1,
        detected_ns=2,
        labels={"venue": "primary"},
    )
    return msgspec.structs.replace(plain, **changes)


def ask(text: str, *symptoms: Symptom, facts: tuple[Fact, ...] = (), age_s: float = 60.0) -> Answer:
    """What the rules of `text` find in these symptoms."""
    prompt = Prompt(
        agent="agent-http",
        domain="http",
        window_start_ns=1,
        window_end_ns=3,
        symptoms=symptoms,
        facts=facts,
        topology=COMPONENTS,
        ages_ns={"engine": round(age_s * 1e9)},
    )
    return Expert(parse_knowledge(text, source="http.toml")).diagnose(prompt)


def test_matching_symptom_gives_the_culprit_and_the_workflow() -> None:
    """Labels of the anchor fill the placeholders."""
    (finding,) = ask(RULE, symptom()).findings
    assert finding.hypothesis.culprit == "exchange-primary"
    assert finding.hypothesis.evidence == ("requests_total@engine",)
    assert finding.proposal is not None
    assert finding.proposal.target == "exchange-primary"
    assert finding.proposal.impact == "Fewer orders go to exchange-primary."


@pytest.mark.parametrize(
    "venue", ["unknown", "${culprit}", "primary; rm", "", "x" * 200, "*", "primary\n[[rules]]"]
)
def test_hostile_or_unknown_label_accuses_nobody(venue: str) -> None:
    """A culprit is a component of the topology; a label can choose among them and nothing else."""
    assert ask(RULE, symptom(labels={"venue": venue})).findings == ()


def test_component_of_the_wrong_kind_is_not_accused() -> None:
    """A rule about venues cannot name a process."""
    text = RULE.replace('"exchange-${venue}"', '"${entity}"')
    assert ask(text, symptom()).findings == ()


def test_process_of_ours_is_never_a_foreign_offender() -> None:
    """Only a numbered process that no component owns is foreign."""
    text = RULE.replace('"exchange-${venue}"', '"${entity}"').replace('["venue"]', '["foreign"]')
    assert ask(text, symptom()).findings == ()
    assert ask(text, symptom(entity="pid:x")).findings == ()
    (finding,) = ask(text, symptom(entity="pid:4242")).findings
    assert finding.hypothesis.culprit == "pid:4242"


def test_of_several_strangers_the_busiest_that_began_with_the_harm_is_accused() -> None:
    """A long-running batch job is not to blame for what begins now; a smaller one not first."""
    text = RULE.replace('"exchange-${venue}"', '"${entity}"').replace('["venue"]', '["foreign"]')
    text = text.replace(
        'needs = [{ kind = "error_burst", metric = "requests_total" }]',
        'strongest_only = true\nneeds = [{ metric = "requests_total" }, '
        '{ metric = "wait", lead_s_max = 2.0 }]',
    )
    second_ns = 1_000_000_000
    harm = symptom(metric="wait", kind="shift", onset_ns=10 * second_ns)
    old = symptom(entity="pid:10", value=1.0, onset_ns=second_ns)
    small = symptom(entity="pid:20", value=0.5, onset_ns=9 * second_ns)
    big = symptom(entity="pid:30", value=0.9, onset_ns=10 * second_ns)
    (finding,) = ask(text, harm, old, small, big).findings
    assert finding.hypothesis.culprit == "pid:30"


def test_young_component_is_not_judged() -> None:
    """What has just started behaves like what is broken."""
    text = RULE.replace("[rules.proposal]", 'warm_up = [{ entity = "engine", seconds = 3.0 }]')
    text = text.replace(
        'workflow = "back-off-and-shed"\nimpact = "Fewer orders go to ${culprit}."', ""
    )
    assert ask(text, symptom(), age_s=1.0).findings == ()
    (finding,) = ask(text, symptom(), age_s=5.0).findings
    assert finding.proposal is None


def test_supporting_evidence_raises_confidence_but_never_to_certainty() -> None:
    """Each support adds its share, up to 0.99."""
    text = RULE.replace(
        "[rules.proposal]", 'supports = [{ metric = "latency", adds = 0.5 }]\n[rules.proposal]'
    )
    (finding,) = ask(text, symptom(), symptom(metric="latency", kind="spike")).findings
    assert finding.hypothesis.confidence == 0.99
    assert finding.hypothesis.evidence == ("requests_total@engine", "latency@engine")


@pytest.mark.parametrize(
    ("value", "age_ns", "found"), [(0.1, 0, True), (0.9, 0, False), (0.1, 3_000_000_000, False)]
)
def test_fact_must_hold_and_be_fresh(value: float, age_ns: int, found: bool) -> None:
    """An old value is no fact any more."""
    text = RULE.replace(
        "[rules.proposal]",
        'facts = [{ metric = "age", labels = { venue = "!${venue}" }, comparison = "<", '
        "threshold = 0.4 }]\n[rules.proposal]",
    )
    fact = Fact(metric="age", entity="engine", value=value, labels={"venue": "b"}, age_ns=age_ns)
    assert bool(ask(text, symptom(), facts=(fact,)).findings) is found


def test_same_prompt_gives_the_same_answer() -> None:
    """The expert is deterministic."""
    symptoms = (symptom(), symptom(metric="latency", kind="spike"))
    assert ask(RULE, *symptoms) == ask(RULE, *symptoms)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("confidence = 0.9", "confidence = 1.5", "rule 'overload': confidence 1.5 should be"),
        ("${venue}", "${Venue!}", "should have placeholders like"),
        ("culprit_kinds", "culprit_kind", "unknown field `culprit_kind`"),
        ('"error_burst"', '"error_bursts"', "Invalid enum value 'error_bursts'"),
        ('[{ kind = "error_burst", metric = "requests_total" }]', "[]", "at least one symptom"),
        ('severity = "high"', "severity = 3", "Expected `str`"),
    ],
)
def test_broken_rule_is_refused_with_its_place(old: str, new: str, message: str) -> None:
    """The message names the file and what was expected."""
    with pytest.raises(ConfigError, match=r"http\.toml: ") as caught:
        parse_knowledge(RULE.replace(old, new), source="http.toml")
    assert message in str(caught.value)


def test_rule_given_twice_is_refused() -> None:
    """Two rules of one name could not be told apart in a diagnosis."""
    twice = RULE + RULE[RULE.index("[[rules]]") :]
    with pytest.raises(ConfigError, match="given twice"):
        parse_knowledge(twice, source="http.toml")


@pytest.mark.parametrize("domain", DOMAINS)
def test_delivered_knowledge_asks_only_for_what_its_agent_watches(domain: Domain) -> None:
    """A rule about a symptom that no detector of the agent raises would never hold."""
    watched = {each.metric for each in AGENTS[f"agent-{domain}"].watches}
    assert load_knowledge(domain).symptom_metrics <= watched
