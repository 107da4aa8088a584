"""Token files: a path in, a secret out; made once, readable by their owner alone."""

import contextlib
import os
import secrets
import stat
from pathlib import Path

from prunella.errors import AuthenticationError

_BYTES = 32


def ensure_token(path: Path) -> str:
    """The token in the file; made (mode 0600) when there is none, whole or not at all."""
    if path.exists():
        return load_token(path)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(_BYTES) + "\n")
    # Of several processes that make it at once the first one's is everybody's.
    with contextlib.suppress(FileExistsError):
        path.hardlink_to(fresh)
    fresh.unlink()
    return load_token(path)


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
