"""A brief in, a `Consultation` out: who was asked, what it cost, and what may be believed of it.

The endpoints are asked in the order of the settings until one gives an answer that fits the
question; the expert is the last of the chain and always answers. Nothing here raises: a model that
cannot be asked is a fact about the model, not a fault of the plane.
"""

import hashlib
import threading
from collections.abc import Mapping
from pathlib import Path

import msgspec

from prunella.healing.incident import Attempt
from prunella.healing.incident.records import Record
from prunella.healing.reason.base import Answer, Reasoner
from prunella.healing.reason.brief import Brief
from prunella.healing.reason.memory import Cache, Recording, read_recording, write_recording
from prunella.healing.reason.meter import Meter, cost_microusd
from prunella.healing.reason.opinion import AnswerFault, AnswerRefusedError, answer_of, read_opinion
from prunella.healing.reason.prompt import Prompt
from prunella.healing.reason.redact import Redactor
from prunella.healing.reason.settings import EndpointSettings, ReasonSettings
from prunella.healing.reason.transport import HttpAnswer, Post, UnreachableError, post
from prunella.healing.reason.wire import Said, request_of, said_of
from prunella.values import Clock

REST_NS = 30_000_000_000
"""How long an endpoint is left alone after it failed in a way that asking again would not mend."""
REST_NS_MAX = 600_000_000_000
"""No server can send us away for longer."""
PAUSE_S = 0.25
"""Before a second attempt at an endpoint that was busy."""
TEXT_CHARACTERS_MAX = 8_192
"""How much of an answer is kept in the ledger."""


_FAULTS = frozenset(each.value for each in AnswerFault)


class Consultation(Record, frozen=True, kw_only=True, tag="consultation"):
    """What became of a question.

    Attributes:
        reasoner: `ENDPOINT/MODEL`, or the expert's name.
        answer: What may be believed.
        by_model: Whether a model gave it.
        text: What the model said, without secrets, cut.
        attempts: Everything that was tried, in order.
    """

    reasoner: str
    answer: Answer
    by_model: bool
    text: str = ""
    attempts: tuple[Attempt, ...] = ()
    elapsed_ns: int = 0


class Gateway:
    """Asks.

    Args:
        settings: Whom, and within which limits.
        keys: By endpoint; an endpoint that should have one and has none is not asked.
        expert: The last link of the chain.
        clock: The time.
        send: How to reach an endpoint.
    """

    def __init__(
        self,
        settings: ReasonSettings,
        *,
        keys: Mapping[str, str],
        expert: Reasoner,
        clock: Clock,
        redactor: Redactor | None = None,
        send: Post = post,
    ) -> None:
        self._settings = settings
        self._keys = dict(keys)
        self._expert = expert
        self._clock = clock
        self._send = send
        self._redactor = redactor or Redactor(self._keys.values())
        self._cache = Cache(round(settings.cache_s * 1e9))
        self._rest_until_ns: dict[str, int] = {}
        self._wake = threading.Event()
        self.meter = Meter(settings)

    def close(self) -> None:
        """Ends pauses between attempts at once."""
        self._wake.set()

    def consult(self, prompt: Prompt, brief: Brief) -> Consultation:
        """Asks one after the other until somebody gives an answer that fits. May take long."""
        began_ns = self._clock.monotonic_ns()
        deadline_ns = began_ns + round(self._settings.total_s * 1e9)
        attempts: list[Attempt] = []
        found = self._remembered(brief, attempts)
        if found is None and self._settings.recordings != "replay":
            for name in self._settings.endpoints:
                found = self._ask(name, brief, attempts, deadline_ns)
                if found is not None:
                    break
        reasoner, by_model = self._expert.name, False
        answer, text = Answer(), ""
        if found is not None:
            recording, answer = found
            reasoner = f"{recording.endpoint}/{recording.model}"
            by_model, text = True, recording.text
        else:
            answer = self._expert.diagnose(prompt)
        return Consultation(
            reasoner=reasoner,
            answer=answer,
            by_model=by_model,
            text=text,
            attempts=tuple(attempts),
            elapsed_ns=self._clock.monotonic_ns() - began_ns,
        )

    # What is known already ------------------------------------------------------------------

    def _remembered(self, brief: Brief, attempts: list[Attempt]) -> tuple[Recording, Answer] | None:
        settings = self._settings
        outcome = "CACHED"
        recording = self._cache.get(brief.sha256, self._clock.now_ns())
        if recording is None and settings.recordings == "replay":
            outcome = "REPLAYED"
            recording = read_recording(Path(settings.recordings_folder), brief.sha256)
            if recording is None:
                attempts.append(Attempt(endpoint="recordings", outcome="NOT_RECORDED"))
        if recording is None:
            return None
        try:
            answer = self._judge(recording.text, recording.endpoint, brief)
        except AnswerRefusedError as error:
            attempts.append(Attempt(endpoint=recording.endpoint, outcome=error.fault.value))
            return None
        attempts.append(
            Attempt(endpoint=recording.endpoint, outcome=outcome, model=recording.model)
        )
        return recording, answer

    def _keep(self, recording: Recording) -> None:
        self._cache.put(recording, self._clock.now_ns())
        if self._settings.recordings == "record":
            try:
                write_recording(Path(self._settings.recordings_folder), recording)
            except OSError:
                # The ledger has the answer too; a full disk must not cost the advice.
                return

    # One endpoint ---------------------------------------------------------------------------

    def _ask(
        self, name: str, brief: Brief, attempts: list[Attempt], deadline_ns: int
    ) -> tuple[Recording, Answer] | None:
        """Up to `attempts` calls; None when the next endpoint is to be asked."""
        endpoint = self._settings.endpoints[name]
        outcome = ""
        if (endpoint.key_env or endpoint.key_file) and not self._keys.get(name):
            outcome = "NO_KEY"
        elif self._clock.monotonic_ns() < self._rest_until_ns.get(name, 0):
            outcome = "RESTING"
        if outcome:
            attempts.append(Attempt(endpoint=name, outcome=outcome))
            return None
        for number in range(endpoint.attempts):
            if number and self._wake.wait(PAUSE_S * number):
                break
            left_s = (deadline_ns - self._clock.monotonic_ns()) / 1e9
            if left_s <= 0:
                attempts.append(Attempt(endpoint=name, outcome="OUT_OF_TIME"))
                break
            complaint = outcome if outcome in _FAULTS else ""
            attempt, said = self._call(name, endpoint, brief, complaint, left_s)
            attempt, found = self._taken(attempt, said, brief)
            attempts.append(attempt)
            outcome = attempt.outcome
            if found is not None:
                return found
            if not _worth_asking_again(outcome):
                break
        return None

    def _taken(
        self, attempt: Attempt, said: Said | None, brief: Brief
    ) -> tuple[Attempt, tuple[Recording, Answer] | None]:
        """The attempt with its last word, and the answer where it can be believed."""
        if said is None or attempt.outcome != "answered":
            return attempt, None
        try:
            answer = self._judge(said.text, attempt.endpoint, brief)
        except AnswerRefusedError as error:
            return msgspec.structs.replace(attempt, outcome=error.fault.value), None
        recording = Recording(
            sha256=brief.sha256,
            template=brief.template,
            endpoint=attempt.endpoint,
            model=attempt.model,
            text=self._redactor.clean(said.text)[:TEXT_CHARACTERS_MAX],
            tokens_in=attempt.tokens_in,
            tokens_out=attempt.tokens_out,
        )
        self._keep(recording)
        return attempt, (recording, answer)

    def _call(
        self, name: str, endpoint: EndpointSettings, brief: Brief, complaint: str, left_s: float
    ) -> tuple[Attempt, Said | None]:
        """One call; what it cost is counted whether it helped or not."""
        request = request_of(brief, endpoint, self._keys.get(name, ""), complaint)
        spent, limit = self.meter.take(endpoint, len(request.body), self._clock.now_ns())
        if spent is None:
            return Attempt(endpoint=name, outcome=f"BUDGET {limit}"), None
        began_ns = self._clock.monotonic_ns()
        said: Said | None = None
        try:
            answer = self._send(
                request.url,
                request.headers,
                request.body,
                timeout_s=min(endpoint.timeout_s, left_s),
                ca_file=endpoint.ca_file,
            )
            outcome, said = self._read(name, endpoint, answer)
        except UnreachableError as error:
            outcome = f"UNREACHABLE_{error.word}"
            self._rest(name, 0.0)
        tokens_in = said.tokens_in if said else 0
        tokens_out = said.tokens_out if said else 0
        cost = cost_microusd(endpoint, tokens_in, tokens_out)
        if tokens_in + tokens_out:
            self.meter.settle(spent, tokens_in + tokens_out, cost)
        attempt = Attempt(
            endpoint=name,
            outcome=outcome,
            model=endpoint.model,
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            cost_microusd=cost,
            elapsed_ns=self._clock.monotonic_ns() - began_ns,
            answer_sha256=hashlib.sha256(said.text.encode()).hexdigest() if said else "",
        )
        return attempt, said

    def _read(
        self, name: str, endpoint: EndpointSettings, answer: HttpAnswer
    ) -> tuple[str, Said | None]:
        if answer.status != 200:
            self._rest(name, answer.retry_after_s)
            return f"HTTP_{answer.status}", None
        try:
            said = said_of(answer.body, endpoint)
        except ValueError:
            return AnswerFault.ANSWER_NOT_JSON.value, None
        self._rest_until_ns.pop(name, None)
        if said.ended == "cut":
            return AnswerFault.ANSWER_TRUNCATED.value, said
        return (AnswerFault.ANSWER_EMPTY.value if said.ended == "refused" else "answered"), said

    def _rest(self, name: str, seconds: float) -> None:
        rest_ns = min(max(round(seconds * 1e9), REST_NS), REST_NS_MAX)
        self._rest_until_ns[name] = self._clock.monotonic_ns() + rest_ns

    def _judge(self, text: str, name: str, brief: Brief) -> Answer:
        opinion = read_opinion(text)
        return answer_of(opinion, brief, source=f"model:{name}", redactor=self._redactor)


def _worth_asking_again(outcome: str) -> bool:
    """Whether the same endpoint may do better at once: it was busy, or its answer was unusable."""
    return outcome in _FAULTS or outcome in {"HTTP_429", "HTTP_500", "HTTP_502", "HTTP_503"}
