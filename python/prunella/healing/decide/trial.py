"""Policy tests as a file in; which of them fail out, and whether any bent rule would pass them all.

A test names an action, what is different from the everyday circumstances, and the rules that must
decide. A rule whose bending no test notices might as well be bent: so every rule is bent in every
way that a slip of the pen could, and each bent policy must fail a test (`survivors`).
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from prunella.errors import ConfigError
from prunella.healing.decide.policy import HERE, Policy

TESTS = HERE / "policies" / "tests.toml"


class PolicyCase(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One test.

    Attributes:
        name: What it shows.
        action: The workflow.
        principal: Who asks.
        kind: What the target is.
        context: What differs from the base.
        expect: What policy must say.
        rules: Exactly the rules that must decide; empty with `deny`: none permits it.
    """

    name: str
    action: str
    principal: str = "healing"
    kind: Literal["process", "venue", "host", "foreign"] = "process"
    context: dict[str, int | bool | str] = msgspec.field(default_factory=dict)
    expect: Literal["allow", "deny"]
    rules: tuple[str, ...] = ()


class PolicyCases(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of tests: the everyday circumstances, and what is asked."""

    base: dict[str, int | bool | str]
    cases: tuple[PolicyCase, ...]


class Mutant(msgspec.Struct, frozen=True, kw_only=True):
    """A policy with one rule bent."""

    rule: str
    how: str
    rules: str


def load_cases(path: Path = TESTS) -> PolicyCases:
    """The tests in a TOML file.

    Raises:
        ConfigError: It cannot be read; says where.
    """
    try:
        return msgspec.toml.decode(path.read_bytes(), type=PolicyCases)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except msgspec.MsgspecError as error:
        raise ConfigError(f"{path}: {error}") from None


def failures(policy: Policy, cases: PolicyCases) -> Iterator[str]:
    """One sentence for each test that fails."""
    for case in cases.cases:
        answer = policy.ask(
            action=case.action,
            resource="it",
            kind=case.kind,
            context=cases.base | case.context,
            principal=case.principal,
        )
        said = "error" if answer.errors else "allow" if answer.allowed else "deny"
        if said != case.expect or answer.rules != tuple(sorted(case.rules)):
            found = answer.errors or answer.rules or ("no rule",)
            wanted = ", ".join(case.rules) or "no rule"
            yield (
                f"{case.name}: expected {case.expect} by {wanted}, "
                f"found {said} by {', '.join(found)}"
            )


def survivors(rules: str, schema: str, cases: PolicyCases) -> Iterator[Mutant]:
    """Bent policies that no test notices; one that the loader refuses counts as noticed."""
    for mutant in mutants(rules):
        try:
            bent = Policy(mutant.rules, schema)
        except ConfigError:
            continue
        if next(failures(bent, cases), None) is None:
            yield mutant


_SLIPS: tuple[tuple[str, str], ...] = (
    (r" >= ", " > "),
    (r" <= ", " < "),
    (r" > ", " >= "),
    (r" < ", " <= "),
    (r" == ", " != "),
    (r" != ", " == "),
    (r" && ", " || "),
    (r" \|\| ", " && "),
    (r"!(?=context)", ""),
    (r"(?<=when \{ )(?=context)", "!"),
    (r" when \{[^}]*\}", ""),
    (r"principal == [^,]*,", "principal,"),
    (r"action (?:==|in) (?:\[[^\]]*\]|[^,\s]+)", "action"),
    (r"Action::\"[^\"]*\", ", ""),
    (r"\"(?:process|venue|host|foreign)\"(?:, )?(?=[^\]]*\]\.contains)", ""),
)
"""What the pen may slip to: pattern and replacement, tried at every place where it fits."""


def mutants(rules: str) -> Iterator[Mutant]:
    """Every rule left out, and bent at every place where a slip fits."""
    for match in re.finditer(r'@id\("([^"]+)"\)([^;]*);', rules):
        name, body = match[1], match[2]
        head, tail = rules[: match.start()], rules[match.end() :]
        yield Mutant(rule=name, how="left out", rules=head + tail)
        flat = re.sub(r"\s+", " ", body)
        for pattern, replacement in _SLIPS:
            for place in re.finditer(pattern, flat):
                bent = flat[: place.start()] + replacement + flat[place.end() :]
                how = f"{place[0].strip() or 'condition'!r} → {replacement.strip()!r}"
                yield Mutant(rule=name, how=how, rules=f'{head}@id("{name}"){bent};{tail}')
        for place in re.finditer(r"(?<=[<=>] )\d+", flat):
            bent = f"{flat[: place.start()]}{int(place[0]) + 1}{flat[place.end() :]}"
            how = f"{place[0]} → {int(place[0]) + 1}"
            yield Mutant(rule=name, how=how, rules=f'{head}@id("{name}"){bent};{tail}')
