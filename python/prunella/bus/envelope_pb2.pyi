from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class Envelope(_message.Message):
    __slots__ = ("schema_version", "topic", "source", "seq", "ts_event_ns", "ts_init_ns", "kind", "payload")
    SCHEMA_VERSION_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    TS_EVENT_NS_FIELD_NUMBER: _ClassVar[int]
    TS_INIT_NS_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    schema_version: int
    topic: str
    source: str
    seq: int
    ts_event_ns: int
    ts_init_ns: int
    kind: str
    payload: bytes
    def __init__(self, schema_version: _Optional[int] = ..., topic: _Optional[str] = ..., source: _Optional[str] = ..., seq: _Optional[int] = ..., ts_event_ns: _Optional[int] = ..., ts_init_ns: _Optional[int] = ..., kind: _Optional[str] = ..., payload: _Optional[bytes] = ...) -> None: ...
