"""What a stack can be told, what it answers, and the `Target` that carries it out."""

from prunella.control.commands import (
    CancelAll,
    Command,
    Halt,
    Kill,
    Pin,
    Reduce,
    ReleaseLease,
    Renice,
    Reply,
    Request,
    Restart,
    Resume,
    SetOrderRate,
    Start,
    Stop,
    SwitchVenue,
)
from prunella.control.target import Target

__all__ = [
    "CancelAll",
    "Command",
    "Halt",
    "Kill",
    "Pin",
    "Reduce",
    "ReleaseLease",
    "Renice",
    "Reply",
    "Request",
    "Restart",
    "Resume",
    "SetOrderRate",
    "Start",
    "Stop",
    "SwitchVenue",
    "Target",
]
