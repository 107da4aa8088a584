"""Policies as files: their tests pass, every bent rule is noticed, own rules only forbid more."""

from pathlib import Path

import msgspec
import pytest
from prunella.errors import ConfigError
from prunella.healing.decide import Policy, market_is_open
from prunella.healing.decide.policy import HERE, read_rules
from prunella.healing.decide.trial import PolicyCase, failures, load_cases, mutants, survivors
from prunella.healing.remediate.catalogue import NAMES

RULES = read_rules(HERE / "policies")
SCHEMA = (HERE / "schema.cedarschema").read_text()
HOUR_NS = 3_600_000_000_000


def test_every_test_of_the_policy_passes() -> None:
    """The file beside the rules."""
    assert list(failures(Policy.load(), load_cases())) == []


def test_bending_any_rule_in_any_way_makes_a_test_fail() -> None:
    """Every rule left out, each comparison, list, limit and negation slipped."""
    assert len({each.rule for each in mutants(RULES)}) == len(Policy.load().rule_names)
    assert [(each.rule, each.how) for each in survivors(RULES, SCHEMA, load_cases())] == []


def test_missing_test_leaves_a_bent_rule_unnoticed() -> None:
    """The check of the checks can fail."""
    cases = load_cases()
    fewer = msgspec.structs.replace(
        cases, cases=tuple(each for each in cases.cases if "frozen" not in each.name)
    )
    rules = {each.rule for each in survivors(RULES, SCHEMA, fewer)}
    assert rules == {"forbid-frozen-plane"}


def test_every_workflow_has_a_permit_and_a_test() -> None:
    """A workflow that nothing permits could be signed for and would still be refused."""
    names = Policy.load().rule_names
    assert {f"permit-{each}" for each in NAMES} == {
        each for each in names if each.startswith("permit-")
    }
    tested = {each.action for each in load_cases().cases if each.expect == "allow"}
    assert tested == set(NAMES)


def test_wrong_expectation_is_told_with_what_was_found() -> None:
    """For people who write rules."""
    cases = load_cases()
    wrong = PolicyCase(name="mine", action="restart-with-warm-up", expect="deny")
    told = list(failures(Policy.load(), msgspec.structs.replace(cases, cases=(wrong,))))
    assert told == [
        "mine: expected deny by no rule, found allow by permit-restart-with-warm-up",
    ]


def test_own_folder_forbids_more_and_cannot_permit(tmp_path: Path) -> None:
    """A stack's own rules."""
    own = tmp_path / "mine.cedar"
    own.write_text(
        '@id("forbid-local-engine")\nforbid (principal, action, resource == Component::"it");'
    )
    told = list(failures(Policy.load(local=tmp_path), load_cases()))
    assert told
    assert all("forbid-local-engine" in each for each in told)
    own.write_text('@id("permit-local-all")\npermit (principal, action, resource);')
    with pytest.raises(ConfigError, match="begins forbid-local-"):
        Policy.load(local=tmp_path)


def test_market_hours_cross_midnight_and_the_week() -> None:
    """1 January 1970 was a Thursday."""
    thursday, friday = 0, 24 * HOUR_NS
    assert market_is_open(("thu 22:00-02:00",), friday + HOUR_NS)
    assert not market_is_open(("thu 22:00-02:00",), friday + 2 * HOUR_NS)
    assert market_is_open(("fri-thu 00:00-24:00",), thursday)
    assert not market_is_open((), thursday)
    for wrong in ("someday 10:00-11:00", "mon 25:00-26:00", "mon 10-11"):
        with pytest.raises(ConfigError, match="market hours"):
            market_is_open((wrong,), 0)
