from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Advanced(_message.Message):
    __slots__ = ("seq", "ts_ns", "kind", "tick_ns", "sent_ns")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    TS_NS_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TICK_NS_FIELD_NUMBER: _ClassVar[int]
    SENT_NS_FIELD_NUMBER: _ClassVar[int]
    seq: int
    ts_ns: int
    kind: int
    tick_ns: int
    sent_ns: int
    def __init__(self, seq: _Optional[int] = ..., ts_ns: _Optional[int] = ..., kind: _Optional[int] = ..., tick_ns: _Optional[int] = ..., sent_ns: _Optional[int] = ...) -> None: ...

class StageOrder(_message.Message):
    __slots__ = ("run", "number", "market", "strategy", "side", "price", "quantity", "time_in_force")
    RUN_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    MARKET_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    TIME_IN_FORCE_FIELD_NUMBER: _ClassVar[int]
    run: int
    number: int
    market: int
    strategy: int
    side: int
    price: int
    quantity: int
    time_in_force: int
    def __init__(self, run: _Optional[int] = ..., number: _Optional[int] = ..., market: _Optional[int] = ..., strategy: _Optional[int] = ..., side: _Optional[int] = ..., price: _Optional[int] = ..., quantity: _Optional[int] = ..., time_in_force: _Optional[int] = ...) -> None: ...

class Orders(_message.Message):
    __slots__ = ("seq", "tick_ns", "sent_ns", "orders")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    TICK_NS_FIELD_NUMBER: _ClassVar[int]
    SENT_NS_FIELD_NUMBER: _ClassVar[int]
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    seq: int
    tick_ns: int
    sent_ns: _containers.RepeatedScalarFieldContainer[int]
    orders: _containers.RepeatedCompositeFieldContainer[StageOrder]
    def __init__(self, seq: _Optional[int] = ..., tick_ns: _Optional[int] = ..., sent_ns: _Optional[_Iterable[int]] = ..., orders: _Optional[_Iterable[_Union[StageOrder, _Mapping]]] = ...) -> None: ...

class Fact(_message.Message):
    __slots__ = ("session", "kind", "payload")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    session: int
    kind: int
    payload: bytes
    def __init__(self, session: _Optional[int] = ..., kind: _Optional[int] = ..., payload: _Optional[bytes] = ...) -> None: ...

class Position(_message.Message):
    __slots__ = ("venue", "symbol", "quantity", "mark", "realised", "fees", "fills")
    VENUE_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    MARK_FIELD_NUMBER: _ClassVar[int]
    REALISED_FIELD_NUMBER: _ClassVar[int]
    FEES_FIELD_NUMBER: _ClassVar[int]
    FILLS_FIELD_NUMBER: _ClassVar[int]
    venue: str
    symbol: str
    quantity: str
    mark: str
    realised: str
    fees: str
    fills: int
    def __init__(self, venue: _Optional[str] = ..., symbol: _Optional[str] = ..., quantity: _Optional[str] = ..., mark: _Optional[str] = ..., realised: _Optional[str] = ..., fees: _Optional[str] = ..., fills: _Optional[int] = ...) -> None: ...

class Positions(_message.Message):
    __slots__ = ("seq", "ts_ns", "trading_state", "realised", "unrealised", "positions")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    TS_NS_FIELD_NUMBER: _ClassVar[int]
    TRADING_STATE_FIELD_NUMBER: _ClassVar[int]
    REALISED_FIELD_NUMBER: _ClassVar[int]
    UNREALISED_FIELD_NUMBER: _ClassVar[int]
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    seq: int
    ts_ns: int
    trading_state: str
    realised: str
    unrealised: str
    positions: _containers.RepeatedCompositeFieldContainer[Position]
    def __init__(self, seq: _Optional[int] = ..., ts_ns: _Optional[int] = ..., trading_state: _Optional[str] = ..., realised: _Optional[str] = ..., unrealised: _Optional[str] = ..., positions: _Optional[_Iterable[_Union[Position, _Mapping]]] = ...) -> None: ...
