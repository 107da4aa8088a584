"""For tests: a gateway and a plane that think, with a scripted model over real HTTP."""

from collections.abc import Mapping
from concurrent.futures import Future
from types import MappingProxyType
from typing import Any

import msgspec
from healing_rig import Rig
from prunella.evaluation.model_server import ModelServer
from prunella.healing.incident import Symptom
from prunella.healing.loop import local_stack
from prunella.healing.loop.thinker import gateway_of, writer_of
from prunella.healing.reason import (
    Brief,
    Consultation,
    EndpointSettings,
    Gateway,
    Option,
    Prompt,
    ReasonSettings,
    Redactor,
    Writer,
)
from prunella.healing.remediate import load_catalogue
from prunella.values import ManualClock

NOW_NS = 1_000_000_000_000


def endpoint(server: ModelServer, **words: Any) -> EndpointSettings:
    """How to reach a scripted model."""
    made = EndpointSettings(url=server.url, model="m", timeout_s=5.0)
    return msgspec.structs.replace(made, **words)


def settings(*servers: ModelServer, **words: Any) -> ReasonSettings:
    """A chain of scripted models, each asked once."""
    endpoints = {f"m{i}": endpoint(each, attempts=1) for i, each in enumerate(servers)}
    return msgspec.structs.replace(ReasonSettings(endpoints=endpoints), **words)


def gateway(
    reason: ReasonSettings,
    clock: ManualClock,
    keys: Mapping[str, str] = MappingProxyType({}),
    secrets: tuple[str, ...] = (),
) -> Gateway:
    """A gateway with the expert at its end."""
    redactor = Redactor([*keys.values(), *secrets])
    return gateway_of(reason, keys=keys, redactor=redactor, clock=clock)


def writer(reason: ReasonSettings | None = None, *secrets: str) -> Writer:
    """Who writes the questions about the local stack."""
    stack = local_stack()
    return writer_of(
        reason or ReasonSettings(),
        components=stack.components,
        venues=stack.venues,
        redactor=Redactor(secrets),
    )


SYMPTOM = Symptom(
    domain="cpu",
    detector="absence",
    metric="process_up",
    entity="engine",
    kind="absence",
    score=1.0,
    value=0.0,
    expected=1.0,
    onset_ns=NOW_NS - 10**9,
    detected_ns=NOW_NS,
    labels={"process": "engine"},
)


def symptom(**words: Any) -> Symptom:
    """An engine that is gone, unless told otherwise."""
    return msgspec.structs.replace(SYMPTOM, **words)


def prompt(*symptoms: Symptom, **words: Any) -> Prompt:
    """A question about the local stack."""
    made = Prompt(
        agent="healing",
        domain="cpu",
        window_start_ns=NOW_NS - 10**9,
        window_end_ns=NOW_NS,
        symptoms=symptoms or (SYMPTOM,),
        topology=local_stack().components,
        why="unexplained",
        options=tuple(
            Option(workflow=each.name, summary=each.summary, causes=each.causes)
            for each in load_catalogue().values()
        ),
    )
    return msgspec.structs.replace(made, **words)


def consult(reason: ReasonSettings, question: Prompt | None = None, **keys: str) -> Consultation:
    """Asks once."""
    question = question or prompt()
    return gateway(reason, ManualClock(start_ns=NOW_NS), keys).consult(
        question, writer(reason).write(question)
    )


class InlineThinker:
    """Asks at once on the caller's thread, or keeps the question until `answer` is called."""

    def __init__(
        self, reason: ReasonSettings, *, patient: bool = False, secrets: tuple[str, ...] = ()
    ) -> None:
        self._gateway = gateway(reason, ManualClock(start_ns=NOW_NS), secrets=secrets)
        self._writer = writer(reason, *secrets)
        self._patient = patient
        self.waiting: list[tuple[Future[Consultation], Prompt, Brief]] = []

    def write(self, question: Prompt) -> Brief:
        """The question as it will be sent."""
        return self._writer.write(question)

    def begin(self, question: Prompt, brief: Brief) -> Future[Consultation] | None:
        """Asks."""
        future: Future[Consultation] = Future()
        self.waiting.append((future, question, brief))
        if not self._patient:
            self.answer()
        return future

    def answer(self) -> None:
        """Gets all answers that are waited for."""
        for future, question, brief in self.waiting:
            future.set_result(self._gateway.consult(question, brief))
        self.waiting.clear()


def thinking_rig(
    *servers: ModelServer, patient: bool = False, secrets: tuple[str, ...] = (), **words: Any
) -> tuple[Rig, InlineThinker]:
    """A simulated stack whose plane may ask scripted models."""
    reason = settings(*servers, **words)
    thinker = InlineThinker(reason, patient=patient, secrets=secrets)
    rig = Rig(
        settings=msgspec.structs.replace(local_stack()),
        thinker=thinker,
        reason=reason,
        secrets=secrets,
    )
    return rig, thinker
