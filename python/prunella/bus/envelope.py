"""Messages in, wire bytes out, and back; the only file that knows the generated code."""

from collections import defaultdict

from google.protobuf.message import DecodeError

from prunella.bus.base import Message
from prunella.bus.envelope_pb2 import Envelope
from prunella.bus.topic import Topic
from prunella.errors import PermanentError

SCHEMA_VERSION = 1


class Sealer:
    """Wraps records for sending, numbered per topic."""

    def __init__(self) -> None:
        self._seq: defaultdict[str, int] = defaultdict(int)
        self._sources: dict[str, str] = {}

    def seal(self, topic: str, record: bytes, *, kind: str, now_ns: int, ts_event_ns: int) -> bytes:
        """The envelope's bytes.

        Raises:
            PermanentError: The topic is none.
        """
        source = self._sources.get(topic)
        if source is None:
            source = self._sources[topic] = Topic.parse(topic).source
        self._seq[topic] += 1
        return Envelope(
            schema_version=SCHEMA_VERSION,
            topic=topic,
            source=source,
            seq=self._seq[topic],
            ts_event_ns=ts_event_ns or now_ns,
            ts_init_ns=now_ns,
            kind=kind,
            payload=record,
        ).SerializeToString()


def unseal(topic: bytes, envelope: bytes) -> Message:
    """The message in an envelope that came under `topic`.

    Raises:
        PermanentError: It is no envelope, of another version, or of another topic than it came
            under: the router checks the outer topic, so the inner one must be the same.
    """
    try:
        opened = Envelope.FromString(envelope)
    except DecodeError as error:
        raise PermanentError(f"no envelope: {error}") from None
    if opened.schema_version != SCHEMA_VERSION:
        raise PermanentError(f"envelope of version {opened.schema_version}, not {SCHEMA_VERSION}")
    if opened.topic.encode() != topic:
        raise PermanentError(f"envelope of {opened.topic!r} came under {topic!r}")
    return Message(
        topic=opened.topic,
        source=opened.source,
        seq=opened.seq,
        ts_event_ns=opened.ts_event_ns,
        ts_init_ns=opened.ts_init_ns,
        kind=opened.kind,
        payload=opened.payload,
    )
