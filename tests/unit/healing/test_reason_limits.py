"""What a gateway may spend, remember and be told: limits, cache, recordings, settings, keys."""

from pathlib import Path

import msgspec
import pytest
from prunella.errors import ConfigError
from prunella.evaluation.model_server import ModelServer
from prunella.healing.reason import EndpointSettings, ReasonSettings, load_key
from prunella.healing.reason.meter import HOUR_NS, Meter
from prunella.values import ManualClock
from thinking import NOW_NS, consult, endpoint, gateway, prompt, settings, symptom, writer


def outcomes(reason: ReasonSettings, *values: float) -> list[str]:
    """The last outcome of each of several different questions to one gateway."""
    asking = gateway(reason, ManualClock(start_ns=NOW_NS))
    told = []
    for value in values:
        question = prompt(symptom(value=value))
        told.append(asking.consult(question, writer().write(question)).attempts[-1].outcome)
    return told


def test_calls_per_hour_end_at_their_limit() -> None:
    """The third of two is not made, and costs nothing."""
    with ModelServer("good") as server:
        told = outcomes(settings(server, calls_per_hour_max=2), 1, 2, 3)
        assert told == ["answered", "answered", "BUDGET calls_per_hour_max"]
        assert len(server.asked) == 2


def test_tokens_per_hour_are_counted_before_the_call() -> None:
    """A question that could pass the limit is not asked."""
    with ModelServer("good") as server:
        assert outcomes(settings(server, tokens_per_hour_max=1500), 1) == [
            "BUDGET tokens_per_hour_max"
        ]


def test_money_per_day_ends_at_its_limit_and_wants_prices() -> None:
    """An endpoint whose price nobody knows is not asked where money is limited."""
    with ModelServer("good") as server:
        unpriced = settings(server, usd_per_day_max=1.0)
        assert outcomes(unpriced, 1)[0].startswith("BUDGET usd_per_day_max")
        priced = endpoint(server, usd_per_million_in=1000.0, usd_per_million_out=1000.0)
        reason = ReasonSettings(endpoints={"m0": priced}, usd_per_day_max=6.0)
        told = outcomes(reason, 1, 2, 3, 4, 5, 6, 7)
    assert told[0] == "answered"
    assert told[-1] == "BUDGET usd_per_day_max"


def test_limits_of_an_hour_are_free_again_after_it() -> None:
    """And a restart is no way round them: an earlier life's calls are folded in."""
    meter = Meter(ReasonSettings(calls_per_hour_max=1))
    meter.fold(NOW_NS, 10, 0)
    one = EndpointSettings(url="http://127.0.0.1/v1", model="m")
    assert meter.take(one, 10, NOW_NS + 1)[1] == "calls_per_hour_max"
    assert meter.take(one, 10, NOW_NS + HOUR_NS)[0] is not None


def test_cost_of_a_call_is_told() -> None:
    """In millionths of a dollar, by the settings' prices."""
    with ModelServer("good") as server:
        priced = endpoint(server, usd_per_million_in=3.0, usd_per_million_out=15.0)
        said = consult(ReasonSettings(endpoints={"m0": priced}))
    (attempt,) = said.attempts
    assert attempt.cost_microusd == attempt.tokens_in * 3 + attempt.tokens_out * 15


def test_same_question_is_answered_from_memory_for_a_while() -> None:
    """And asked anew when that is over."""
    clock = ManualClock(start_ns=NOW_NS)
    with ModelServer("good") as server:
        asking = gateway(settings(server, cache_s=60), clock)
        question = prompt()
        brief = writer().write(question)
        first = asking.consult(question, brief)
        again = asking.consult(question, brief)
        assert again.attempts[0].outcome == "CACHED"
        assert again.answer == first.answer
        clock.advance(61 * 10**9)
        assert asking.consult(question, brief).attempts[0].outcome == "answered"
        assert len(server.asked) == 2


def test_recording_replays_the_answer_without_a_call(tmp_path: Path) -> None:
    """The model may be gone for ever; an unrecorded question goes to the expert."""
    with ModelServer("good") as server:
        recorded = consult(
            settings(server, recordings="record", recordings_folder=str(tmp_path / "r"))
        )
    replay = ReasonSettings(recordings="replay", recordings_folder=str(tmp_path / "r"))
    said = consult(replay)
    assert said.answer == recorded.answer
    assert (said.reasoner, said.attempts[0].outcome) == ("m0/m", "REPLAYED")
    other = consult(replay, prompt(symptom(value=0.5)))
    assert other.attempts[0].outcome == "NOT_RECORDED"
    assert not other.by_model


def test_tampered_recording_is_judged_like_any_answer(tmp_path: Path) -> None:
    """A file is no more trusted than a model."""
    folder = tmp_path / "r"
    with ModelServer("good") as server:
        consult(settings(server, recordings="record", recordings_folder=str(folder)))
    (file,) = folder.glob("*.json")
    recording = msgspec.json.decode(file.read_bytes())
    recording["text"] = recording["text"].replace('"engine"', '"healing"')
    file.write_bytes(msgspec.json.encode(recording))
    said = consult(ReasonSettings(recordings="replay", recordings_folder=str(folder)))
    assert said.attempts[0].outcome == "ANSWER_CULPRIT_FOREIGN"
    assert not said.by_model


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ({"url": "http://models.example/v1"}, "expected https"),
        ({"url": "ftp://127.0.0.1"}, "expected https://HOST/PATH"),
        ({"url": "https://me:secret@models.example/v1"}, "no user"),
        ({"key_env": "sk-live-0123456789"}, "name of an environment variable"),
        ({"key_env": "A", "key_file": "b"}, "one of them"),
        ({"timeout_s": 0}, "timeout_s"),
        ({"attempts": 9}, "attempts"),
    ],
)
def test_endpoint_that_cannot_be_right_is_refused(words: dict[str, object], complaint: str) -> None:
    """At load, with the field and what was expected; a key in the settings is not shown again."""
    table = {"url": "https://models.example/v1", "model": "m"} | words
    with pytest.raises(msgspec.ValidationError, match=complaint) as told:
        msgspec.convert(table, EndpointSettings)
    assert "sk-live" not in str(told.value)


def test_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """Like ssh: a key is its owner's."""
    path = tmp_path / "key"
    path.write_text("abc123\n")
    path.chmod(0o644)
    one = EndpointSettings(url="https://models.example/v1", model="m", key_file=str(path))
    with pytest.raises(ConfigError, match="chmod 600"):
        load_key("m", one, {})
    path.chmod(0o600)
    assert load_key("m", one, {}) == "abc123"
    with pytest.raises(ConfigError, match="is not set"):
        load_key("m", msgspec.structs.replace(one, key_file="", key_env="NOPE"), {})
