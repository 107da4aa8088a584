"""Every implementation of the bus keeps the same promises: in memory and over real sockets."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest
from prunella.bus import Bus, MemoryBroker, Message, Subscription
from prunella.bus.router import Router
from prunella.bus.zeromq import ZeroMqBus, role_password
from prunella.errors import PermanentError

SECRET = "bus-5ecret"
QUEUE_MAX = 50
PATIENCE_S = 10.0
QUIET_S = 0.2
"""How long nothing must come before it is believed that nothing comes."""


class Counters(Protocol):
    """What both brokers count."""

    refused_messages: int
    refused_subscriptions: int


class Place:
    """One implementation, ready to hand out buses."""

    def __init__(self, connect: Callable[[str], Bus], broker: Counters) -> None:
        self.connect = connect
        self.broker = broker


@pytest.fixture(params=["memory", "zeromq"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Each implementation in turn."""
    buses: list[Bus] = []
    if request.param == "memory":
        broker = MemoryBroker(queue_max=QUEUE_MAX)
        yield Place(broker.connect, broker)
        return
    paths = (tmp_path / "in.sock", tmp_path / "out.sock")
    router = Router(*paths, secret=SECRET, queue_max=QUEUE_MAX)
    thread = threading.Thread(target=router.run, daemon=True)
    thread.start()

    def connect(role: str) -> Bus:
        password = role_password(SECRET, role)
        bus = ZeroMqBus(*paths, role=role, password=password, queue_max=QUEUE_MAX)
        buses.append(bus)
        return bus

    yield Place(connect, router)
    for each in buses:
        each.close()
    router.stop()
    thread.join(timeout=PATIENCE_S)


def until(condition: Callable[[], bool]) -> None:
    """Waits until the condition holds, asking again and again."""
    pause = threading.Event()
    for _ in range(int(PATIENCE_S / 0.005)):
        if condition():
            return
        pause.wait(0.005)
    pytest.fail("waited in vain")


def joined(publisher: Bus, subscription: Subscription, topic: str) -> Message:
    """Publishes until the first message arrives: connecting takes a moment."""
    received: list[Message] = []

    def attempt() -> bool:
        publisher.publish(topic, b"hello", kind="hello", now_ns=1)
        message = subscription.receive(0.02)
        if message is not None:
            received.append(message)
        return message is not None

    until(attempt)
    while subscription.receive(QUIET_S) is not None:
        pass
    return received[0]


def test_message_published_arrives_as_it_was(place: Place) -> None:
    """Topic, source, times, kind and payload come through, and the sequence counts up by one."""
    watch, agent = place.connect("watch"), place.connect("agent-cpu")
    inbox = agent.subscribe("local/cpu/")
    first = joined(watch, inbox, "local/cpu/host/normal")
    assert (first.source, first.kind, first.payload) == ("host", "hello", b"hello")
    for number in (b"1", b"2"):
        watch.publish("local/cpu/host/normal", number, kind="readings", now_ns=20, ts_event_ns=10)
    one, two = inbox.receive(PATIENCE_S), inbox.receive(PATIENCE_S)
    assert one is not None
    assert two is not None
    assert (one.payload, two.payload, one.ts_event_ns, one.ts_init_ns) == (b"1", b"2", 10, 20)
    assert two.seq == one.seq + 1
    assert inbox.lost == 0


def test_agent_that_asks_for_everything_hears_its_own_domain_alone(place: Place) -> None:
    """A misbehaving subscriber gets nothing outside its domain, and its asking is counted."""
    watch, agent = place.connect("watch"), place.connect("agent-cpu")
    inbox = agent.subscribe("local/cpu/", "", "local/", "local/network/", "loc")
    other = place.connect("agent-network").subscribe("local/network/")
    joined(watch, inbox, "local/cpu/host/normal")
    joined(watch, other, "local/network/host/normal")  # it travels, for those who may
    assert inbox.receive(QUIET_S) is None
    assert place.broker.refused_subscriptions == 4


def test_unknown_role_hears_and_says_nothing(place: Place) -> None:
    """A name that is not in the table may nothing, even with the right password for that name."""
    stranger = place.connect("stranger")
    ears = stranger.subscribe("local/cpu/")
    watch, agent = place.connect("watch"), place.connect("agent-cpu")
    joined(watch, agent.subscribe("local/cpu/"), "local/cpu/host/normal")
    until(lambda: place.broker.refused_subscriptions == 1)
    assert ears.receive(QUIET_S) is None


def test_message_in_a_foreign_name_is_not_carried(place: Place) -> None:
    """An agent can speak only in its own name; what it says in another's is dropped and counted."""
    liar, healing = place.connect("agent-cpu"), place.connect("healing")
    inbox = healing.subscribe("local/")
    joined(liar, inbox, "local/healing/agent-cpu/urgent")
    liar.publish("local/healing/agent-http/urgent", b"lie", kind="diagnosis", now_ns=1)
    liar.publish("local/cpu/host/normal", b"lie", kind="readings", now_ns=1)
    until(lambda: place.broker.refused_messages == 2)
    assert inbox.receive(QUIET_S) is None


def test_queue_that_is_full_drops_the_newest_and_counts(place: Place) -> None:
    """Who does not read keeps a bounded queue of the oldest; the loss is seen when reading on."""
    watch, agent = place.connect("watch"), place.connect("agent-cpu")
    slow, quick = agent.subscribe("local/cpu/"), place.connect("agent-cpu").subscribe("local/cpu/")
    joined(watch, slow, "local/cpu/host/normal")
    joined(watch, quick, "local/cpu/host/normal")
    while slow.receive(QUIET_S) is not None:
        pass
    sent = 40 * QUEUE_MAX
    for number in range(sent):  # big ones, so that the kernel's own buffer fills too
        watch.publish("local/cpu/host/normal", b"%06d" % number + bytes(8000), kind="k", now_ns=1)
        quick.receive(PATIENCE_S)
    kept = 0
    while slow.receive(QUIET_S) is not None:
        kept += 1
    assert QUEUE_MAX <= kept < sent
    watch.publish("local/cpu/host/normal", b"after", kind="k", now_ns=1)
    last = slow.receive(PATIENCE_S)
    assert last is not None
    assert last.payload == b"after"
    assert slow.lost == sent - kept


def test_topic_that_is_none_is_refused(place: Place) -> None:
    """A misspelt topic is the caller's mistake and raises at once."""
    watch = place.connect("watch")
    for topic in ("local/cpu", "local/cpu/host/soon", "local/cpu/Host/normal", "local/cpu//normal"):
        with pytest.raises(PermanentError):
            watch.publish(topic, b"", kind="readings", now_ns=1)


def test_subscription_that_was_closed_does_not_disturb_the_others(place: Place) -> None:
    """Subscribers come and go; who stays hears on."""
    watch = place.connect("watch")
    stays = place.connect("agent-cpu").subscribe("local/cpu/")
    joined(watch, stays, "local/cpu/host/normal")
    for _ in range(5):
        leaves = place.connect("agent-cpu").subscribe("local/cpu/")
        joined(watch, leaves, "local/cpu/host/normal")
        leaves.close()
        while stays.receive(QUIET_S) is not None:
            pass
    joined(watch, stays, "local/cpu/host/normal")
    assert stays.lost == 0


def test_threads_that_publish_at_once_lose_nothing(place: Place) -> None:
    """Collectors publish from their own threads; every message arrives, numbered without a gap."""
    watch, agent = place.connect("watch"), place.connect("agent-cpu")
    inbox = agent.subscribe("local/cpu/")
    joined(watch, inbox, "local/cpu/host/normal")
    dropped = watch.dropped  # while it connected

    def publish() -> None:
        for _ in range(QUEUE_MAX // 10):
            watch.publish("local/cpu/host/normal", b"x", kind="readings", now_ns=1)

    for _ in range(20):
        threads = [threading.Thread(target=publish) for _ in range(4)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        for _ in range(4 * (QUEUE_MAX // 10)):
            assert inbox.receive(PATIENCE_S) is not None
    assert (inbox.lost, watch.dropped) == (0, dropped)


def test_burst_tenfold_beyond_the_queues_loses_nothing_urgent(place: Place) -> None:
    """Ten times what all queues hold, to one that does not read: urgent words all come."""
    watch, agent = place.connect("watch"), place.connect("agent-cpu")
    inbox = place.connect("healing").subscribe("local/")
    joined(watch, inbox, "local/cpu/host/normal")
    joined(agent, inbox, "local/healing/agent-cpu/urgent")
    dropped = agent.dropped
    began = threading.Barrier(2)

    def burst() -> None:
        began.wait()
        for _ in range(40 * QUEUE_MAX):
            watch.publish("local/cpu/host/normal", bytes(8000), kind="readings", now_ns=1)

    thread = threading.Thread(target=burst)
    thread.start()
    began.wait()
    for number in range(QUEUE_MAX // 2):
        agent.publish("local/healing/agent-cpu/urgent", b"%d" % number, kind="diagnosis", now_ns=1)
    thread.join()
    received: list[Message] = []
    until(lambda: _drained(inbox, received) and _urgent(received) == QUEUE_MAX // 2)
    urgent = [each.payload for each in received if each.topic.endswith("/urgent")]
    assert urgent == [b"%d" % number for number in range(QUEUE_MAX // 2)]
    assert agent.dropped == dropped
    assert len(received) - len(urgent) < 40 * QUEUE_MAX  # the readings were too many, and it shows
    joined(watch, inbox, "local/cpu/host/normal")
    assert inbox.lost + watch.dropped > 0


def _drained(inbox: Subscription, received: list[Message]) -> bool:
    while (message := inbox.receive(QUIET_S)) is not None:
        received.append(message)
    return True


def _urgent(received: list[Message]) -> int:
    return sum(each.topic.endswith("/urgent") for each in received)


def test_urgent_message_overtakes_what_waits(place: Place) -> None:
    """Who comes back to a long queue hears first what somebody waits for."""
    watch, agent = place.connect("watch"), place.connect("agent-cpu")
    inbox = place.connect("healing").subscribe("local/")
    joined(watch, inbox, "local/cpu/host/normal")
    joined(agent, inbox, "local/healing/agent-cpu/urgent")
    for _ in range(QUEUE_MAX // 2):
        watch.publish("local/cpu/host/normal", b"x", kind="readings", now_ns=1)
    agent.publish("local/healing/agent-cpu/urgent", b"!", kind="diagnosis", now_ns=1)
    received: list[Message] = []
    pause = threading.Event()
    for _ in range(int(PATIENCE_S / 0.05)):
        pause.wait(0.05)  # nobody reads meanwhile
        message = inbox.receive(0)
        assert message is not None
        received.append(message)
        if message.payload == b"!":
            break
    assert received[-1].payload == b"!"
    assert len(received) < QUEUE_MAX // 2
