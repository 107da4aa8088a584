"""Acts by key: one at a time, once, with the first state as the replaced one, over crashes too."""

import threading
from pathlib import Path

import pytest
from prunella.bridge import Deeds
from prunella.control import Reply
from prunella.control import replies as module
from prunella.control.replies import Replies
from prunella.errors import TargetUnavailableError


def test_second_asker_waits_for_the_first_and_nothing_is_done_twice() -> None:
    """The act runs once, however many ask meanwhile."""
    replies, gate, begun = Replies(), threading.Event(), threading.Event()
    done: list[int] = []
    answers: list[Reply] = []

    def act() -> Reply:
        begun.set()
        assert gate.wait(10)
        done.append(1)
        return Reply(ok=True, message="first")

    def ask() -> None:
        answers.append(replies.once("k", act))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for each in threads:
        each.start()
    assert begun.wait(10)
    gate.set()
    for each in threads:
        each.join(10)
    assert done == [1]
    assert [each.message for each in answers] == ["first"] * 3


def test_asker_of_an_act_without_end_is_told_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its fate is not known, which is what is said."""
    monkeypatch.setattr(module, "WAIT_S", 0.01)
    replies, gate, begun = Replies(), threading.Event(), threading.Event()

    def act() -> Reply:
        begun.set()
        assert gate.wait(10)
        return Reply(ok=True)

    thread = threading.Thread(target=lambda: replies.once("k", act))
    thread.start()
    assert begun.wait(10)
    with pytest.raises(TargetUnavailableError, match="still being carried out"):
        replies.once("k", act)
    gate.set()
    thread.join(10)
    assert replies.once("k", act).ok


def test_act_that_raised_is_tried_again() -> None:
    """No reply is no reply."""
    replies = Replies()

    def fail() -> Reply:
        raise TargetUnavailableError("no answer")

    with pytest.raises(TargetUnavailableError):
        replies.once("k", fail)
    assert replies.once("k", lambda: Reply(ok=True)).ok


def test_act_lost_in_a_crash_is_repeated_with_the_state_it_had_found(tmp_path: Path) -> None:
    """The world has changed by our own lost act: it is not taken for what was there before."""
    file, world = tmp_path / "deeds", {"nice": "3"}

    def die(before: dict[str, str], again: bool) -> Reply:
        assert (before, again) == ({"nice": "3"}, False)
        world["nice"] = "19"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Deeds(file).once("k", lambda: dict(world), die)

    def act(before: dict[str, str], again: bool) -> Reply:
        assert again
        return Reply(ok=True, replaced=before)

    assert Deeds(file).once("k", lambda: dict(world), act).replaced == {"nice": "3"}
    third = Deeds(file).once("k", lambda: dict(world), die)
    assert third.replaced == {"nice": "3"}
    assert file.stat().st_mode & 0o777 == 0o600


def test_torn_last_line_is_as_if_never_written(tmp_path: Path) -> None:
    """Killed in the middle of the write that ends an act."""
    file = tmp_path / "deeds"
    Deeds(file).once("k", lambda: {"a": "1"}, lambda before, _: Reply(ok=True, replaced=before))
    text = file.read_bytes()
    file.write_bytes(text[:-9])
    seen: list[bool] = []

    def act(before: dict[str, str], again: bool) -> Reply:
        seen.append(again)
        return Reply(ok=True, replaced=before)

    assert Deeds(file).once("k", lambda: {"a": "2"}, act).replaced == {"a": "1"}
    assert seen == [True]
