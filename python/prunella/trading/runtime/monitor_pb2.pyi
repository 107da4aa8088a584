from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Order(_message.Message):
    __slots__ = ("id", "venue", "symbol", "strategy", "side", "price", "quantity", "filled", "state")
    ID_FIELD_NUMBER: _ClassVar[int]
    VENUE_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    FILLED_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    id: str
    venue: str
    symbol: str
    strategy: str
    side: str
    price: int
    quantity: int
    filled: int
    state: str
    def __init__(self, id: _Optional[str] = ..., venue: _Optional[str] = ..., symbol: _Optional[str] = ..., strategy: _Optional[str] = ..., side: _Optional[str] = ..., price: _Optional[int] = ..., quantity: _Optional[int] = ..., filled: _Optional[int] = ..., state: _Optional[str] = ...) -> None: ...

class Fill(_message.Message):
    __slots__ = ("id", "venue", "symbol", "side", "price", "quantity", "fee")
    ID_FIELD_NUMBER: _ClassVar[int]
    VENUE_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    FEE_FIELD_NUMBER: _ClassVar[int]
    id: str
    venue: str
    symbol: str
    side: str
    price: int
    quantity: int
    fee: int
    def __init__(self, id: _Optional[str] = ..., venue: _Optional[str] = ..., symbol: _Optional[str] = ..., side: _Optional[str] = ..., price: _Optional[int] = ..., quantity: _Optional[int] = ..., fee: _Optional[int] = ...) -> None: ...

class Denied(_message.Message):
    __slots__ = ("venue", "symbol", "strategy", "reason")
    VENUE_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    venue: str
    symbol: str
    strategy: str
    reason: str
    def __init__(self, venue: _Optional[str] = ..., symbol: _Optional[str] = ..., strategy: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class Reflex(_message.Message):
    __slots__ = ("venue", "reflex")
    VENUE_FIELD_NUMBER: _ClassVar[int]
    REFLEX_FIELD_NUMBER: _ClassVar[int]
    venue: str
    reflex: str
    def __init__(self, venue: _Optional[str] = ..., reflex: _Optional[str] = ...) -> None: ...

class Break(_message.Message):
    __slots__ = ("venue", "symbol", "difference", "id", "ours", "theirs")
    VENUE_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    CLASS_FIELD_NUMBER: _ClassVar[int]
    OURS_FIELD_NUMBER: _ClassVar[int]
    THEIRS_FIELD_NUMBER: _ClassVar[int]
    venue: str
    symbol: str
    difference: int
    id: int
    ours: int
    theirs: int
    def __init__(self, venue: _Optional[str] = ..., symbol: _Optional[str] = ..., difference: _Optional[int] = ..., id: _Optional[int] = ..., ours: _Optional[int] = ..., theirs: _Optional[int] = ..., **kwargs) -> None: ...

class BreakMoved(_message.Message):
    __slots__ = ("id", "state")
    ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    id: int
    state: str
    def __init__(self, id: _Optional[int] = ..., state: _Optional[str] = ...) -> None: ...

class Reconciled(_message.Message):
    __slots__ = ("venue",)
    VENUE_FIELD_NUMBER: _ClassVar[int]
    venue: str
    def __init__(self, venue: _Optional[str] = ...) -> None: ...

class Command(_message.Message):
    __slots__ = ("actor", "reason", "command")
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    actor: str
    reason: str
    command: str
    def __init__(self, actor: _Optional[str] = ..., reason: _Optional[str] = ..., command: _Optional[str] = ...) -> None: ...

class Level(_message.Message):
    __slots__ = ("price", "quantity")
    PRICE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    price: int
    quantity: int
    def __init__(self, price: _Optional[int] = ..., quantity: _Optional[int] = ...) -> None: ...

class Market(_message.Message):
    __slots__ = ("venue", "symbol", "status", "is_reconciled", "is_halted", "position", "average_cost", "mark", "realised", "unrealised", "fees", "fills", "bids", "asks")
    VENUE_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    IS_RECONCILED_FIELD_NUMBER: _ClassVar[int]
    IS_HALTED_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    AVERAGE_COST_FIELD_NUMBER: _ClassVar[int]
    MARK_FIELD_NUMBER: _ClassVar[int]
    REALISED_FIELD_NUMBER: _ClassVar[int]
    UNREALISED_FIELD_NUMBER: _ClassVar[int]
    FEES_FIELD_NUMBER: _ClassVar[int]
    FILLS_FIELD_NUMBER: _ClassVar[int]
    BIDS_FIELD_NUMBER: _ClassVar[int]
    ASKS_FIELD_NUMBER: _ClassVar[int]
    venue: str
    symbol: str
    status: str
    is_reconciled: bool
    is_halted: bool
    position: int
    average_cost: int
    mark: int
    realised: int
    unrealised: int
    fees: int
    fills: int
    bids: _containers.RepeatedCompositeFieldContainer[Level]
    asks: _containers.RepeatedCompositeFieldContainer[Level]
    def __init__(self, venue: _Optional[str] = ..., symbol: _Optional[str] = ..., status: _Optional[str] = ..., is_reconciled: _Optional[bool] = ..., is_halted: _Optional[bool] = ..., position: _Optional[int] = ..., average_cost: _Optional[int] = ..., mark: _Optional[int] = ..., realised: _Optional[int] = ..., unrealised: _Optional[int] = ..., fees: _Optional[int] = ..., fills: _Optional[int] = ..., bids: _Optional[_Iterable[_Union[Level, _Mapping]]] = ..., asks: _Optional[_Iterable[_Union[Level, _Mapping]]] = ...) -> None: ...

class View(_message.Message):
    __slots__ = ("seq", "run", "trading_state", "active_venue", "realised", "unrealised", "profit", "markets", "orders")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    TRADING_STATE_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_VENUE_FIELD_NUMBER: _ClassVar[int]
    REALISED_FIELD_NUMBER: _ClassVar[int]
    UNREALISED_FIELD_NUMBER: _ClassVar[int]
    PROFIT_FIELD_NUMBER: _ClassVar[int]
    MARKETS_FIELD_NUMBER: _ClassVar[int]
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    seq: int
    run: int
    trading_state: str
    active_venue: str
    realised: int
    unrealised: int
    profit: int
    markets: _containers.RepeatedCompositeFieldContainer[Market]
    orders: _containers.RepeatedCompositeFieldContainer[Order]
    def __init__(self, seq: _Optional[int] = ..., run: _Optional[int] = ..., trading_state: _Optional[str] = ..., active_venue: _Optional[str] = ..., realised: _Optional[int] = ..., unrealised: _Optional[int] = ..., profit: _Optional[int] = ..., markets: _Optional[_Iterable[_Union[Market, _Mapping]]] = ..., orders: _Optional[_Iterable[_Union[Order, _Mapping]]] = ...) -> None: ...

class Latency(_message.Message):
    __slots__ = ("stage", "p50_ns", "p99_ns", "p999_ns", "max_ns")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    P50_NS_FIELD_NUMBER: _ClassVar[int]
    P99_NS_FIELD_NUMBER: _ClassVar[int]
    P999_NS_FIELD_NUMBER: _ClassVar[int]
    MAX_NS_FIELD_NUMBER: _ClassVar[int]
    stage: str
    p50_ns: int
    p99_ns: int
    p999_ns: int
    max_ns: int
    def __init__(self, stage: _Optional[str] = ..., p50_ns: _Optional[int] = ..., p99_ns: _Optional[int] = ..., p999_ns: _Optional[int] = ..., max_ns: _Optional[int] = ...) -> None: ...

class Latencies(_message.Message):
    __slots__ = ("stages",)
    STAGES_FIELD_NUMBER: _ClassVar[int]
    stages: _containers.RepeatedCompositeFieldContainer[Latency]
    def __init__(self, stages: _Optional[_Iterable[_Union[Latency, _Mapping]]] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("number", "seq", "ts_ns", "order", "fill", "denied", "reflex", "reconciled", "command", "view", "latencies", "break_moved")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    TS_NS_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    FILL_FIELD_NUMBER: _ClassVar[int]
    DENIED_FIELD_NUMBER: _ClassVar[int]
    REFLEX_FIELD_NUMBER: _ClassVar[int]
    BREAK_FIELD_NUMBER: _ClassVar[int]
    RECONCILED_FIELD_NUMBER: _ClassVar[int]
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    LATENCIES_FIELD_NUMBER: _ClassVar[int]
    BREAK_MOVED_FIELD_NUMBER: _ClassVar[int]
    number: int
    seq: int
    ts_ns: int
    order: Order
    fill: Fill
    denied: Denied
    reflex: Reflex
    reconciled: Reconciled
    command: Command
    view: View
    latencies: Latencies
    break_moved: BreakMoved
    def __init__(self, number: _Optional[int] = ..., seq: _Optional[int] = ..., ts_ns: _Optional[int] = ..., order: _Optional[_Union[Order, _Mapping]] = ..., fill: _Optional[_Union[Fill, _Mapping]] = ..., denied: _Optional[_Union[Denied, _Mapping]] = ..., reflex: _Optional[_Union[Reflex, _Mapping]] = ..., reconciled: _Optional[_Union[Reconciled, _Mapping]] = ..., command: _Optional[_Union[Command, _Mapping]] = ..., view: _Optional[_Union[View, _Mapping]] = ..., latencies: _Optional[_Union[Latencies, _Mapping]] = ..., break_moved: _Optional[_Union[BreakMoved, _Mapping]] = ..., **kwargs) -> None: ...
