"""Commands in the imperative, and the reply that carries the state they replaced.

A command that tightens trading may be sent by the healing plane where policy allows it; the ones
that loosen (`Resume`, `Kill` re-arm by `Resume`) carry a person's name and are refused without.
A temporary tightening (`SetOrderRate`) carries its own end, so that nobody has to loosen it.
"""

from typing import Literal

import msgspec


class _Command(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"
):
    """Base of all commands."""


class Kill(_Command, frozen=True, kw_only=True, tag="kill"):
    """Halt and cancel everything at once; latched until a named person resumes."""


class Halt(_Command, frozen=True, kw_only=True, tag="halt"):
    """No new orders; working orders stay. `venue` empty means everywhere."""

    venue: str = ""


class Reduce(_Command, frozen=True, kw_only=True, tag="reduce"):
    """Only orders that make a position smaller."""


class Resume(_Command, frozen=True, kw_only=True, tag="resume"):
    """Trade again. Needs `Request.actor` to be a person and a reason; never the healing plane."""


class CancelAll(_Command, frozen=True, kw_only=True, tag="cancel_all"):
    """Cancel all working orders. `venue` empty means everywhere."""

    venue: str = ""


class SwitchVenue(_Command, frozen=True, kw_only=True, tag="switch_venue"):
    """Route new taking flow and full-size quotes to `venue`; the reply carries the former one."""

    venue: str


class SetOrderRate(_Command, frozen=True, kw_only=True, tag="set_order_rate"):
    """Limit order requests to a venue for a while; only ever lower than the configured rate.

    Attributes:
        venue: Which venue.
        per_second: New orders per second, at least 1 and below the configured limit.
        lease_ns: After how long the engine itself returns to the configured limit.
        lease_id: Name under which the same holder may release it early.
    """

    venue: str
    per_second: int
    lease_ns: int
    lease_id: str


class ReleaseLease(_Command, frozen=True, kw_only=True, tag="release_lease"):
    """Ends a temporary tightening before its time; only the holder's own."""

    lease_id: str


class PromoteModel(_Command, frozen=True, kw_only=True, tag="promote_model"):
    """Let a strategy go on with another model, between two events; only a named person may.

    Attributes:
        strategy: The strategy's name in the settings.
        model: The model's name in the stack's registry.
        sha256: Of its file, lower-case hexadecimal: what was checked is what is run.
    """

    strategy: str
    model: str
    sha256: str


class SignedAct(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person's signature over one act; see `act_text`.

    Attributes:
        person: Name of the key in the file of allowed keys.
        nonce: Makes the act good once.
        until_ns: Until when it is good, nanoseconds UTC.
        signature: Ed25519, hexadecimal.
    """

    person: str
    nonce: str
    until_ns: int
    signature: str


class SetLimit(_Command, frozen=True, kw_only=True, tag="set_limit"):
    """Put a limit's value in force; a looser one needs a person's signature.

    Attributes:
        name: Such as `strategy.maker.gross_max`.
        value: A count, or decimal text.
        signed: A person's signature over exactly this change.
    """

    name: str
    value: str
    signed: SignedAct | None = None


class Rearm(_Command, frozen=True, kw_only=True, tag="rearm"):
    """Let a strategy go on that the throttle of repeated executions stopped; a person only."""

    strategy: str


class AcceptBreak(_Command, frozen=True, kw_only=True, tag="accept_break"):
    """Accept a balance that moved by other means than trading, or fills never told; a person only.

    Attributes:
        id: The break's number, as `prunella breaks` shows it.
    """

    id: int


class SetParameters(_Command, frozen=True, kw_only=True, tag="set_parameters"):
    """Let a strategy of the core go on with other parameters, between two events; a person only.

    Attributes:
        strategy: The strategy's name in the settings.
        kind: What it is, such as `market_maker`; this cannot change.
        parameters: All of them, in the core's form; see `raw()` of the strategies' settings.
    """

    strategy: str
    kind: str
    parameters: dict[str, int]


class Restart(_Command, frozen=True, kw_only=True, tag="restart"):
    """Stop (if it runs) and start a supervised process."""

    process: str


class Start(_Command, frozen=True, kw_only=True, tag="start"):
    """Start a supervised process that is not running."""

    process: str


class Stop(_Command, frozen=True, kw_only=True, tag="stop"):
    """Stop a process: a supervised one by name, or `pid` with SIGSTOP (a foreign offender)."""

    process: str = ""
    pid: int = 0
    start_ticks: int = 0
    undo: bool = False


class Renice(_Command, frozen=True, kw_only=True, tag="renice"):
    """Set a process's priority (-20 to 19); `start_ticks` guards against a reused pid.

    Attributes:
        expected: The priority that it must have now, empty: any; refused with `STATE_CHANGED`
            otherwise, so that an undo never overwrites what somebody else has set since.
    """

    pid: int
    start_ticks: int
    nice: int
    expected: str = ""


class Pin(_Command, frozen=True, kw_only=True, tag="pin"):
    """Restrict a process to `cpus`; `start_ticks` guards against a reused pid.

    Attributes:
        expected: The processors that it must be restricted to now, such as `0,1`; empty: any.
    """

    pid: int
    start_ticks: int
    cpus: tuple[int, ...]
    expected: str = ""


class Place(_Command, frozen=True, kw_only=True, tag="place"):
    """Let a supervised process run on `cpus` alone, all its threads.

    Attributes:
        expected: Where it must run now, such as `0,1`; empty: anywhere.
    """

    process: str
    cpus: tuple[int, ...]
    expected: str = ""


class DropCaches(_Command, frozen=True, kw_only=True, tag="drop_caches"):
    """Write out what is dirty and let go of cached file pages; nothing is lost but time."""


class ShapeTraffic(_Command, frozen=True, kw_only=True, tag="shape_traffic"):
    """Let everybody but this stack send no more than so much through a network interface.

    Attributes:
        bytes_per_second: 0: as much as they like.
        expected: What the limit must be now; empty: any.
    """

    interface: str
    bytes_per_second: int
    expected: str = ""


class SwitchPath(_Command, frozen=True, kw_only=True, tag="switch_path"):
    """Send packets for the venues another way.

    Attributes:
        path: A configured path's name; empty: the next one after the present.
        expected: The path that must be in use now; empty: any.
    """

    path: str = ""
    expected: str = ""


class ResetConnections(_Command, frozen=True, kw_only=True, tag="reset_connections"):
    """Cut every connection to a venue, so that they are made anew."""

    venue: str


class RestoreSettings(_Command, frozen=True, kw_only=True, tag="restore_settings"):
    """Put settings back that a stack was up with; what they replace is kept.

    Attributes:
        sha256: Which; empty: the last good ones.
        expected: Which must be in place now; empty: any.
    """

    sha256: str = ""
    expected: str = ""


class MoveSegments(_Command, frozen=True, kw_only=True, tag="move_segments"):
    """Move a journal's full segments to the spare storage, or back.

    Attributes:
        names: For the way back: which, separated by commas.
        back: From the spare storage to the journal's own.
    """

    names: str = ""
    back: bool = False


class PromoteStandby(_Command, frozen=True, kw_only=True, tag="promote_standby"):
    """Let the standby decide from now on, fenced by a new epoch."""


class SubmitOrder(_Command, frozen=True, kw_only=True, tag="submit_order"):
    """Take in an order of a person: the core keeps it, works it off and passes it by every check.

    Prices and quantities are decimal text; empty text and zero mean "not given".

    Attributes:
        symbol: The instrument or a venue's symbol of it.
        venue: The only venue that it may go to; empty: routed to the best.
        side: Buy or sell.
        quantity: All of it, base units.
        style: How it is worked off.
        limit: Never at a worse price; needed by `limit` and `iceberg`.
        time_in_force: Of a `limit` order.
        trigger: Of a `stop`: sells at or below, buys at or above.
        trigger_on: Which price a `stop` waits for.
        display: What an `iceberg` shows at a time.
        slippage_ppm: How far from the middle a taking child may go, parts per million.
        start_in_ns: When a schedule begins, from now.
        duration_ns: For how long it runs.
        interval_ns: The distance of its slices.
        curve: Of a `vwap`: how much usually trades in each of equal parts of the time, relative
            to each other; at most 32 parts.
        share_ppm: Of a `pov`: share of the traded volume, parts per million.
        reduce_only: Only as far as it makes a position smaller; ends when there is none.
        worse_ppm_max: Stop when the average is worse than the arrival price by more; 0: never.
        child_max: Largest child of a schedule; empty: three equal slices.
    """

    symbol: str
    venue: str = ""
    side: Literal["buy", "sell"]
    quantity: str
    style: Literal["limit", "market", "stop", "iceberg", "twap", "vwap", "pov"]
    limit: str = ""
    time_in_force: Literal["gtc", "ioc", "fok", "post_only"] = "gtc"
    trigger: str = ""
    trigger_on: Literal["trade", "mid"] = "trade"
    display: str = ""
    slippage_ppm: int = 1_000
    start_in_ns: int = 0
    duration_ns: int = 0
    interval_ns: int = 0
    curve: tuple[int, ...] = ()
    share_ppm: int = 0
    reduce_only: bool = False
    worse_ppm_max: int = 0
    child_max: str = ""


class AmendOrder(_Command, frozen=True, kw_only=True, tag="amend_order"):
    """Change an order that the core keeps; empty text leaves as it is.

    The working part is cancelled, and what is left goes out anew once its end is proven: between
    the two nothing works, and nothing can be filled twice.

    Attributes:
        order: Its number.
        limit: A new limit price.
        quantity: A new quantity, all told: what is filled counts.
        trigger: A new trigger of a stop.
    """

    order: int
    limit: str = ""
    quantity: str = ""
    trigger: str = ""


class CancelOrder(_Command, frozen=True, kw_only=True, tag="cancel_order"):
    """Cancel an order that the core keeps, with everything of it that works."""

    order: int


class PauseOrder(_Command, frozen=True, kw_only=True, tag="pause_order"):
    """Let an order rest: its children are cancelled, none is sent until `ResumeOrder`."""

    order: int


class ResumeOrder(_Command, frozen=True, kw_only=True, tag="resume_order"):
    """Let a paused order go on."""

    order: int


Command = (
    Kill
    | Halt
    | Reduce
    | Resume
    | CancelAll
    | SwitchVenue
    | SetOrderRate
    | ReleaseLease
    | PromoteModel
    | SetLimit
    | Rearm
    | AcceptBreak
    | SetParameters
    | Restart
    | Start
    | Stop
    | Renice
    | Pin
    | Place
    | DropCaches
    | ShapeTraffic
    | SwitchPath
    | ResetConnections
    | RestoreSettings
    | MoveSegments
    | PromoteStandby
    | SubmitOrder
    | AmendOrder
    | CancelOrder
    | PauseOrder
    | ResumeOrder
)


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A command with who asks, why, and the proof that they may.

    Attributes:
        token: The control token.
        actor: A person's name, or `healing:inc-000007`.
        reason: Why, for the journal.
        key: Idempotency key; the same key twice gives the first reply again. Empty: none.
        command: What to do.
    """

    token: str
    actor: str
    reason: str = ""
    key: str = ""
    command: Command


class Reply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the target did.

    Attributes:
        ok: Whether it was carried out.
        code: `OK`, or the refusal's code such as `AUTHENTICATION_FAILED`.
        message: For people.
        replaced: The state that the command replaced, by name; enough to undo it.
        order: Number of the order that the command made; 0 for none.
        seq: The target's journal entry of the command; 0 where it keeps none.
        at_ns: When it took effect, nanoseconds UTC.
    """

    ok: bool
    code: str = "OK"
    message: str = ""
    replaced: dict[str, str] = msgspec.field(default_factory=dict)
    order: int = 0
    seq: int = 0
    at_ns: int = 0
