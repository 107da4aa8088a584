"""Commands to a running stack: what a person says in, one control request and its answer out."""

import getpass

from prunella.control import Command, Reply
from prunella.control.client import SocketTarget
from prunella.control.tokens import load_token
from prunella.values import Home


def tell_engine(home: Home, command: Command, *, actor: str | None, reason: str) -> Reply:
    """Sends one command to the engine and hands back its reply; without an actor, the user's.

    Works with every other process dead: it needs the engine's socket and the control token alone.

    Raises:
        TargetUnavailableError: The engine does not answer.
    """
    target = SocketTarget(
        home.socket("engine"), token=load_token(home.key("control.token")), name="engine"
    )
    return target.apply(command, actor=getpass.getuser() if actor is None else actor, reason=reason)
