"""Settings, keys and topology in; whoever asks a model out. The only place that wires a gateway."""

from collections.abc import Iterable, Mapping

import structlog

from prunella.errors import ConfigError
from prunella.healing.incident import Component
from prunella.healing.loop.thought import ThreadThinker
from prunella.healing.reason import (
    Expert,
    Gateway,
    Knowledge,
    ReasonSettings,
    Redactor,
    Writer,
    load_key,
    load_knowledge,
    own_words,
    whole_knowledge,
)
from prunella.healing.reason.transport import Post, post
from prunella.healing.remediate import Workflow, load_catalogue
from prunella.telemetry import DOMAINS
from prunella.values import Clock

_log = structlog.get_logger()


def keys_of(
    reason: ReasonSettings, environment: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """The endpoints' keys, and a sentence for each that cannot be had.

    A missing key stops no plane: it heals without a model, and says which one it cannot ask.
    """
    keys: dict[str, str] = {}
    complaints: list[str] = []
    for name, endpoint in reason.endpoints.items():
        try:
            keys[name] = load_key(name, endpoint, environment)
        except ConfigError as error:
            complaints.append(str(error))
    return keys, complaints


def writer_of(
    reason: ReasonSettings,
    *,
    components: Iterable[Component],
    venues: Iterable[str],
    redactor: Redactor,
    workflows: Mapping[str, Workflow] | None = None,
    knowledge: Iterable[Knowledge] | None = None,
) -> Writer:
    """Who writes the questions, with all words that they may hold."""
    catalogue = load_catalogue() if workflows is None else workflows
    known = [load_knowledge(each) for each in DOMAINS] if knowledge is None else list(knowledge)
    more = {*venues, *reason.words, *catalogue}
    for each in catalogue.values():
        more |= {*each.causes, *each.metrics}
    classes = {rule.fault_class for each in known for rule in each.rules}
    return Writer(own_words(known, components, more), tuple(sorted(classes)), redactor)


def gateway_of(
    reason: ReasonSettings,
    *,
    keys: Mapping[str, str],
    redactor: Redactor,
    clock: Clock,
    send: Post = post,
) -> Gateway:
    """The chain of endpoints with the expert at its end."""
    return Gateway(
        reason,
        keys=keys,
        expert=Expert(whole_knowledge()),
        clock=clock,
        redactor=redactor,
        send=send,
    )


def thinker_of(
    reason: ReasonSettings,
    *,
    components: Iterable[Component],
    venues: Iterable[str],
    environment: Mapping[str, str],
    redactor: Redactor,
    clock: Clock,
    workflows: Mapping[str, Workflow] | None = None,
) -> ThreadThinker | None:
    """Who asks a model, with a second lock on secrets; None where the settings name no model."""
    if not reason.enabled:
        return None
    keys, complaints = keys_of(reason, environment)
    for each in complaints:
        _log.warning("model_without_key", complaint=each)
    return ThreadThinker(
        gateway_of(reason, keys=keys, redactor=redactor, clock=clock),
        writer_of(
            reason,
            components=components,
            venues=venues,
            redactor=redactor,
            workflows=workflows,
        ),
        reason.concurrent_max,
    )
