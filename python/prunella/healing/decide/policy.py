"""Policy files in, a validated policy out; a question in, "allowed, and by which rules" out.

Cedar decides. Two of its habits would fail open and are closed here: a `forbid` whose condition
errs is skipped by Cedar, so that any diagnostic error is a denial; and rules that do not fit the
schema would err only when asked, so that they are refused at load.
"""

import hashlib
import re
from pathlib import Path
from typing import Any

import cedarpy
import msgspec

from prunella.errors import ConfigError
from prunella.healing.decide.reasons import LOCAL_PREFIX, reason_of

HERE = Path(__file__).parent

_RULE = re.compile(r'(?:^//[^\n]*\n)*^@id\("([^"]+)"\)[^;]*;', re.MULTILINE)


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

    def __init__(self, rules: str, schema: str, *, local: str = "") -> None:
        """Takes the text of the rules and of the schema, and of a stack's own rules.

        Raises:
            ConfigError: They cannot be read, do not fit each other, or a rule has no name or an
                unknown one, or a stack's own rule does more than forbid.
        """
        for name in _names(local) if local else []:
            if not name.startswith(LOCAL_PREFIX):
                raise ConfigError(f"policy: a stack's own rule {name!r} begins {LOCAL_PREFIX}")
        rules = f"{rules}\n{local}"
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
            if name.startswith("forbid-") and reason_of(name) is None:
                raise ConfigError(f"policy: rule {name!r} has no refusal reason")
        self.rule_names = tuple(names)
        self.texts = {match[1]: match[0].strip() for match in _RULE.finditer(rules)}
        self.sha256 = hashlib.sha256((schema + "\0" + rules).encode()).hexdigest()

    @staticmethod
    def load(folder: Path = HERE, *, local: Path | None = None) -> "Policy":
        """The policy in `folder`: `schema.cedarschema` and `policies/*.cedar`.

        Args:
            folder: The project's own, unless another is given.
            local: A stack's own rules, `*.cedar`; they can only forbid more.
        """
        if not any((folder / "policies").glob("*.cedar")):
            raise ConfigError(f"{folder}/policies: no .cedar file")
        schema = (folder / "schema.cedarschema").read_text(encoding="utf-8")
        own = read_rules(local) if local is not None else ""
        return Policy(read_rules(folder / "policies"), schema, local=own)

    def ask(
        self,
        *,
        action: str,
        resource: str,
        kind: str,
        context: dict[str, int | bool | str],
        principal: str = "healing",
    ) -> Answer:
        """Whether the healing plane may do `action` to `resource` in these circumstances."""
        uid = {"type": "Component", "id": resource}
        request: dict[str, Any] = {
            "principal": {"type": "Plane", "id": principal},
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


def read_rules(folder: Path) -> str:
    """The text of every rule file in `folder`; empty when there is none."""
    return "\n".join(each.read_text(encoding="utf-8") for each in sorted(folder.glob("*.cedar")))


def _names(rules: str) -> list[str]:
    """The `@id` of every rule, in file order."""
    try:
        text = cedarpy.policies_to_json_str(rules)
    except ValueError as error:
        raise ConfigError(f"policy: cannot be read: {error}") from error
    parsed = msgspec.json.decode(text)
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
