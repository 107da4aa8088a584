"""Commands to a running stack: what a person says in, one control request and its answer out."""

import getpass
import os
import time

from prunella.bridge import Supervisor
from prunella.control import Command, Reply
from prunella.control.client import SocketTarget
from prunella.control.tokens import load_token
from prunella.errors import TargetUnavailableError
from prunella.values import Home

KILL_PATIENCE_S = 10.0
"""A kill given while the engine is being restarted must not get lost with the old process."""
_RETRY_S = 0.05


def tell_engine(
    home: Home, command: Command, *, actor: str | None, reason: str, patience_s: float = 0.0
) -> Reply:
    """Sends one command to the engine and hands back its reply; without an actor, the user's.

    Works with every other process dead: it needs the engine's socket and the control token alone.

    Args:
        home: The stack's folder.
        command: What to do.
        actor: Who asks; the user when not given.
        reason: Why, for the journal.
        patience_s: How long to ask again while the engine does not answer.

    Raises:
        TargetUnavailableError: The engine does not answer.
    """
    deadline = time.monotonic() + patience_s
    target = SocketTarget(
        home.socket("engine"), token=load_token(home.key("control.token")), name="engine"
    )
    while True:
        try:
            return target.apply(
                command, actor=user_name() if actor is None else actor, reason=reason
            )
        except TargetUnavailableError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_RETRY_S)


def send_over_zeromq(home: Home, command: Command, *, actor: str, reason: str) -> Reply:
    """Sends one command through the engine's ZeroMQ door and hands back its reply.

    Raises:
        TargetUnavailableError: The engine does not answer.
        AuthenticationError: A key is missing or open to others.
    """
    from prunella.control.curve import load_curve_pair  # noqa: PLC0415
    from prunella.control.zeromq import ZeroMqTarget  # noqa: PLC0415

    target = ZeroMqTarget(
        home.socket("commands"),
        token=load_token(home.key("control.token")),
        client=load_curve_pair(home.key("operator.curve")),
        server=load_curve_pair(home.key("engine.curve")).public,
        name="engine",
    )
    return target.apply(command, actor=actor, reason=reason)


def kill_patience_s(home: Home) -> float:
    """How long a kill asks again: while a stack is up, its engine may just be starting."""
    return KILL_PATIENCE_S if Supervisor(home).is_running() else 0.0


def user_name() -> str:
    """The user's name, or number where there is none: a container needs its kill switch too."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid:{os.getuid()}"
