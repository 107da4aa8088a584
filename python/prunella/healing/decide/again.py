"""A verdict of the past and a policy in; what that policy says of the same circumstances out."""

import re
from collections.abc import Iterator

import msgspec

from prunella.healing.decide.decider import ALLOWED, permille, read_answer
from prunella.healing.decide.policy import Policy
from prunella.healing.decide.reasons import SIGNABLE_REASONS, RefusalReason
from prunella.healing.incident import Verdict

_CATALOGUE = ("catalogue",)
_ASKED = re.compile(r"context\.([a-z_]+)")


def judge_again(
    verdict: Verdict, policy: Policy, *, kind: str, confidence: float | None = None
) -> Verdict:
    """The verdict as `policy` gives it, with the same action, time and circumstances.

    Args:
        verdict: As recorded.
        policy: The rules, those of then or others.
        kind: What the target is by topology, `foreign` when it is none of ours.
        confidence: Of the advice, 0 to 1, if it is another now.
    """
    context = dict(verdict.circumstances)
    if not context:
        # The catalogue did not know the workflow: policy was not asked.
        return msgspec.structs.replace(verdict, policy_sha256=policy.sha256)
    if confidence is not None:
        context["confidence_permille"] = permille(confidence)
    answer = policy.ask(
        action=verdict.action.workflow, resource=verdict.action.target, kind=kind, context=context
    )
    allowed, rules, reason = read_answer(answer)
    text = ALLOWED if reason is None else str(reason)
    if verdict.rules == _CATALOGUE and (allowed or reason in SIGNABLE_REASONS):
        # It could not be carried out as things stood then, whatever policy says of it.
        allowed, rules, text = False, _CATALOGUE, verdict.reason
    return msgspec.structs.replace(
        verdict,
        allowed=allowed,
        rules=rules,
        reason=text,
        policy_sha256=policy.sha256,
        circumstances=context,
    )


def explain(before: Verdict, after: Verdict, policy: Policy) -> Iterator[str]:
    """Why the second verdict is not the first: the rules, and what they looked at; none if it is.

    Args:
        before: As recorded.
        after: As judged again.
        policy: Whose rules the second one names.
    """
    told = (before.allowed, before.rules, before.reason)
    if told == (after.allowed, after.rules, after.reason):
        return
    action = f"{before.action.workflow} on {before.action.target}"
    yield f"{action} was {_word(before)}, now {_word(after)}"
    for rule in after.rules:
        text = policy.texts.get(rule)
        if rule in before.rules or text is None:
            continue
        asked = dict.fromkeys(_ASKED.findall(text))
        seen = [
            f"{name} = {after.circumstances[name]}" for name in asked if name in after.circumstances
        ]
        yield f"{rule} looks at {', '.join(seen) or 'no circumstance'}: {' '.join(text.split())}"
    if after.reason == RefusalReason.POLICY_ERROR:
        wanted = {name for text in policy.texts.values() for name in _ASKED.findall(text)}
        missing = ", ".join(sorted(wanted - after.circumstances.keys()))
        yield f"this policy looks at {missing or 'something'}, which is not on record"
    for rule in before.rules:
        if rule not in after.rules:
            gone = "does not apply" if rule in policy.texts else "is no rule of this policy"
            yield f"{rule} {gone} now"


def _word(verdict: Verdict) -> str:
    rules = ", ".join(verdict.rules)
    return f"allowed by {rules}" if verdict.allowed else f"refused ({verdict.reason}) by {rules}"
