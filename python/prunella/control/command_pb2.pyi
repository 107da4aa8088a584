from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Kill(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Halt(_message.Message):
    __slots__ = ("venue",)
    VENUE_FIELD_NUMBER: _ClassVar[int]
    venue: str
    def __init__(self, venue: _Optional[str] = ...) -> None: ...

class Reduce(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Resume(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CancelAll(_message.Message):
    __slots__ = ("venue",)
    VENUE_FIELD_NUMBER: _ClassVar[int]
    venue: str
    def __init__(self, venue: _Optional[str] = ...) -> None: ...

class SwitchVenue(_message.Message):
    __slots__ = ("venue",)
    VENUE_FIELD_NUMBER: _ClassVar[int]
    venue: str
    def __init__(self, venue: _Optional[str] = ...) -> None: ...

class SetOrderRate(_message.Message):
    __slots__ = ("venue", "per_second", "lease_ns", "lease_id")
    VENUE_FIELD_NUMBER: _ClassVar[int]
    PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    LEASE_NS_FIELD_NUMBER: _ClassVar[int]
    LEASE_ID_FIELD_NUMBER: _ClassVar[int]
    venue: str
    per_second: int
    lease_ns: int
    lease_id: str
    def __init__(self, venue: _Optional[str] = ..., per_second: _Optional[int] = ..., lease_ns: _Optional[int] = ..., lease_id: _Optional[str] = ...) -> None: ...

class ReleaseLease(_message.Message):
    __slots__ = ("lease_id",)
    LEASE_ID_FIELD_NUMBER: _ClassVar[int]
    lease_id: str
    def __init__(self, lease_id: _Optional[str] = ...) -> None: ...

class SignedAct(_message.Message):
    __slots__ = ("person", "nonce", "until_ns", "signature")
    PERSON_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_NS_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    person: str
    nonce: str
    until_ns: int
    signature: str
    def __init__(self, person: _Optional[str] = ..., nonce: _Optional[str] = ..., until_ns: _Optional[int] = ..., signature: _Optional[str] = ...) -> None: ...

class SetLimit(_message.Message):
    __slots__ = ("name", "value", "signed")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    SIGNED_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: str
    signed: SignedAct
    def __init__(self, name: _Optional[str] = ..., value: _Optional[str] = ..., signed: _Optional[_Union[SignedAct, _Mapping]] = ...) -> None: ...

class SetParameters(_message.Message):
    __slots__ = ("strategy", "kind", "parameters")
    class ParametersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    strategy: str
    kind: str
    parameters: _containers.ScalarMap[str, int]
    def __init__(self, strategy: _Optional[str] = ..., kind: _Optional[str] = ..., parameters: _Optional[_Mapping[str, int]] = ...) -> None: ...

class CommandRequest(_message.Message):
    __slots__ = ("token", "actor", "reason", "key", "kill", "halt", "reduce", "resume", "cancel_all", "switch_venue", "set_order_rate", "release_lease", "set_limit", "set_parameters")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    KILL_FIELD_NUMBER: _ClassVar[int]
    HALT_FIELD_NUMBER: _ClassVar[int]
    REDUCE_FIELD_NUMBER: _ClassVar[int]
    RESUME_FIELD_NUMBER: _ClassVar[int]
    CANCEL_ALL_FIELD_NUMBER: _ClassVar[int]
    SWITCH_VENUE_FIELD_NUMBER: _ClassVar[int]
    SET_ORDER_RATE_FIELD_NUMBER: _ClassVar[int]
    RELEASE_LEASE_FIELD_NUMBER: _ClassVar[int]
    SET_LIMIT_FIELD_NUMBER: _ClassVar[int]
    SET_PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    token: str
    actor: str
    reason: str
    key: str
    kill: Kill
    halt: Halt
    reduce: Reduce
    resume: Resume
    cancel_all: CancelAll
    switch_venue: SwitchVenue
    set_order_rate: SetOrderRate
    release_lease: ReleaseLease
    set_limit: SetLimit
    set_parameters: SetParameters
    def __init__(self, token: _Optional[str] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ..., key: _Optional[str] = ..., kill: _Optional[_Union[Kill, _Mapping]] = ..., halt: _Optional[_Union[Halt, _Mapping]] = ..., reduce: _Optional[_Union[Reduce, _Mapping]] = ..., resume: _Optional[_Union[Resume, _Mapping]] = ..., cancel_all: _Optional[_Union[CancelAll, _Mapping]] = ..., switch_venue: _Optional[_Union[SwitchVenue, _Mapping]] = ..., set_order_rate: _Optional[_Union[SetOrderRate, _Mapping]] = ..., release_lease: _Optional[_Union[ReleaseLease, _Mapping]] = ..., set_limit: _Optional[_Union[SetLimit, _Mapping]] = ..., set_parameters: _Optional[_Union[SetParameters, _Mapping]] = ...) -> None: ...

class CommandReply(_message.Message):
    __slots__ = ("ok", "code", "message", "replaced", "seq", "at_ns", "order")
    class ReplacedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    OK_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    REPLACED_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    AT_NS_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    ok: bool
    code: str
    message: str
    replaced: _containers.ScalarMap[str, str]
    seq: int
    at_ns: int
    order: int
    def __init__(self, ok: _Optional[bool] = ..., code: _Optional[str] = ..., message: _Optional[str] = ..., replaced: _Optional[_Mapping[str, str]] = ..., seq: _Optional[int] = ..., at_ns: _Optional[int] = ..., order: _Optional[int] = ...) -> None: ...
