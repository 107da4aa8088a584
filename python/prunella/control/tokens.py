"""Token files: a path in, a secret out; made once, readable by their owner alone."""

import os
import secrets
import stat
from pathlib import Path

from prunella.errors import AuthenticationError

_BYTES = 32


def ensure_token(path: Path) -> str:
    """The token in the file; made (mode 0600) when there is none."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return load_token(path)
    token = secrets.token_hex(_BYTES)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(token + "\n")
    return token


def load_token(path: Path) -> str:
    """The token in the file.

    Raises:
        AuthenticationError: It is missing, empty or open to others; the message says what to do.
    """
    try:
        mode = path.stat().st_mode
        token = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        raise AuthenticationError(f"{path} is missing; `prunella up` makes it") from None
    except (OSError, UnicodeDecodeError) as error:
        raise AuthenticationError(f"{path} cannot be read: {error}") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise AuthenticationError(f"{path} can be read by others; run `chmod 600 {path}`")
    if not token:
        raise AuthenticationError(f"{path} is empty; remove it, and `prunella up` makes a new one")
    return token
