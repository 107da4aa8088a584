"""Policy files in, a validated policy out; a question in, "allowed, and by which rules" out.

Cedar decides. Two of its habits would fail open and are closed here: a `forbid` whose condition
errs is skipped by Cedar, so that any diagnostic error is a denial; and rules that do not fit the
schema would err only when asked, so that they are refused at load.
"""

import hashlib
from pathlib import Path
from typing import Any

import cedarpy
import msgspec

from prunella.errors import ConfigError
from prunella.healing.decide.reasons import RULE_REASONS

HERE = Path(__file__).parent


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What policy said.

    Attributes:
        allowed: A permit matched, no forbid did, nothing erred.
        rules: Names of the rules that decided; empty when no rule matched.
        errors: Diagnostics; not empty means denied.
    """

    allowed: bool
    rules: tuple[str, ...]
    errors: tuple[str, ...]


class Policy:
    """Cedar rules and their schema, validated.

    Example:
        >>> policy = Policy.load()
        >>> "forbid-frozen-plane" in policy.rule_names
        True
    """

    def __init__(self, rules: str, schema: str) -> None:
        """Takes the text of the rules and of the schema.

        Raises:
            ConfigError: They cannot be read, do not fit each other, or a rule has no name or an
                unknown one.
        """
        try:
            self._schema = cedarpy.Schema.from_str(schema)
            self._rules = cedarpy.PolicySet.from_str(rules)
            names = _names(rules)
        except ValueError as error:
            raise ConfigError(f"policy: cannot be read: {error}") from error
        result = cedarpy.validate_policies(rules, schema)
        if not result.validation_passed:
            found = "; ".join(str(each) for each in result.errors)
            raise ConfigError(f"policy: does not fit its schema: {found}")
        for name in names:
            if name.startswith("forbid-") and name not in RULE_REASONS:
                raise ConfigError(f"policy: rule {name!r} has no refusal reason")
        self.rule_names = tuple(names)
        self.sha256 = hashlib.sha256((schema + "\0" + rules).encode()).hexdigest()

    @staticmethod
    def load(folder: Path = HERE) -> "Policy":
        """The policy in `folder`: `schema.cedarschema` and `policies/*.cedar`."""
        files = sorted((folder / "policies").glob("*.cedar"))
        if not files:
            raise ConfigError(f"{folder}/policies: no .cedar file")
        schema = (folder / "schema.cedarschema").read_text(encoding="utf-8")
        return Policy("\n".join(each.read_text(encoding="utf-8") for each in files), schema)

    def ask(
        self, *, action: str, resource: str, kind: str, context: dict[str, int | bool | str]
    ) -> Answer:
        """Whether the healing plane may do `action` to `resource` in these circumstances."""
        uid = {"type": "Component", "id": resource}
        request: dict[str, Any] = {
            "principal": {"type": "Plane", "id": "healing"},
            "action": {"type": "Action", "id": action},
            "resource": uid,
            "context": context,
        }
        entities = [{"uid": uid, "attrs": {"kind": kind}, "parents": []}]
        try:
            result = cedarpy.is_authorized(request, self._rules, entities, self._schema)
        except Exception as error:  # noqa: BLE001 - whatever the library raises is a denial
            return Answer(allowed=False, rules=(), errors=(f"{type(error).__name__}: {error}",))
        diagnostics = result.diagnostics
        named = diagnostics.id_annotations_by_reason
        rules = tuple(sorted(named.get(each, each) for each in diagnostics.reasons))
        errors = tuple(str(each) for each in diagnostics.errors)
        allowed = result.decision is cedarpy.Decision.Allow and not errors and bool(rules)
        return Answer(allowed=allowed, rules=rules, errors=errors)


def _names(rules: str) -> list[str]:
    """The `@id` of every rule, in file order."""
    parsed = msgspec.json.decode(cedarpy.policies_to_json_str(rules))
    names = []
    for key, rule in parsed["staticPolicies"].items():
        name = rule.get("annotations", {}).get("id")
        if not name:
            raise ConfigError(f"policy: {key} ({rule['effect']}) has no @id")
        if not name.startswith(f"{rule['effect']}-"):
            raise ConfigError(f"policy: rule {name!r} should begin with {rule['effect']}-")
        names.append(name)
    if len(set(names)) != len(names):
        raise ConfigError("policy: two rules have the same @id")
    return names
