"""Let a program of yours speak telemetry, and let an agent's detectors look at it.

Nothing of trading is in here: a payment service tells how old its oldest unpaid job is. The bus is
the one in memory and the clock moves when told to; over sockets it is the same code with another
bus (`prunella.bus.zeromq`) and a real clock.

    python examples/watch_your_own_service.py

prints

    10 readings heard
    at 5.0 s: silence of payments, 5.0 s old where 4.0 s is the limit, since 0.0 s
"""

import msgspec
from prunella.bus import MemoryBroker, Topic
from prunella.healing.detect import Bank
from prunella.healing.incident import Watch
from prunella.telemetry import Reading, Readings
from prunella.values import ManualClock

SECOND_NS = 1_000_000_000
WATCH = Watch(detector="overdue", metric="job_age_seconds", options={"limit_s": 4.0})


def tell(age_s: float, now_ns: int) -> bytes:
    """What the service says of itself, as it goes over the bus."""
    reading = Reading(
        metric="job_age_seconds",
        entity="payments",
        value=age_s,
        ts_event_ns=now_ns,
        ts_init_ns=now_ns,
    )
    items = (reading,)
    return msgspec.msgpack.encode(Readings(domain="execution", source="payments", items=items))


def main() -> None:
    """Ten seconds in which no job is paid."""
    clock, broker, bank = ManualClock(), MemoryBroker(), Bank("execution", [WATCH])
    service = broker.connect("watch")
    inbox = broker.connect("agent-execution").subscribe("local/execution/")
    topic = str(Topic(domain="execution", source="payments"))
    heard, told = 0, []
    for age_s in range(1, 11):
        clock.advance(SECOND_NS)
        now_ns = clock.now_ns()
        service.publish(topic, tell(age_s, now_ns), kind="readings", now_ns=now_ns)
        while message := inbox.receive(0):
            batch = msgspec.msgpack.decode(message.payload, type=Readings)
            heard += len(batch.items)
            told += bank.update(batch.items, now_ns)
    print(f"{heard} readings heard")
    first = told[0]
    print(
        f"at {first.detected_ns / SECOND_NS} s: {first.kind} of {first.entity}, "
        f"{first.value} s old where {first.expected} s is the limit, "
        f"since {first.onset_ns / SECOND_NS} s"
    )


if __name__ == "__main__":
    main()
