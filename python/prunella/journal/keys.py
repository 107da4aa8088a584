"""Ed25519 keys in PEM files: a path in, a key out; private ones readable by their owner alone."""

import hashlib
import os
import stat
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from prunella.errors import AuthenticationError


def ensure_key_pair(path: Path) -> Ed25519PrivateKey:
    """The private key in `path`; made (mode 0600, with its `.pub` beside it) when there is none."""
    fresh = Ed25519PrivateKey.generate()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return load_private_key(path)
    with os.fdopen(descriptor, "wb") as file:
        file.write(fresh.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    path.with_suffix(".pub").write_bytes(
        fresh.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    return fresh


def load_private_key(path: Path) -> Ed25519PrivateKey:
    """The private key in `path`.

    Raises:
        AuthenticationError: Missing, open to others, or no Ed25519 key in PEM.
    """
    try:
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise AuthenticationError(f"{path} is open to others; run `chmod 600 {path}`")
        key = load_pem_private_key(path.read_bytes(), password=None)
    except FileNotFoundError:
        raise AuthenticationError(f"{path} is missing; `prunella up` makes it") from None
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise AuthenticationError(f"{path}: expected a private key in PEM: {error}") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise AuthenticationError(f"{path}: expected Ed25519, found {type(key).__name__}")
    return key


def load_public_key(path: Path) -> Ed25519PublicKey:
    """The public key in `path`.

    Raises:
        AuthenticationError: Missing, or no Ed25519 public key in PEM.
    """
    try:
        key = load_pem_public_key(path.read_bytes())
    except FileNotFoundError:
        raise AuthenticationError(f"{path} is missing: expected a public key in PEM") from None
    except (ValueError, UnsupportedAlgorithm) as error:
        raise AuthenticationError(f"{path}: expected a public key in PEM: {error}") from None
    if not isinstance(key, Ed25519PublicKey):
        raise AuthenticationError(f"{path}: expected Ed25519, found {type(key).__name__}")
    return key


def key_hash(origin: str, key: Ed25519PublicKey) -> bytes:
    """Four bytes that name a key in a signed note (C2SP signed-note, algorithm 0x01)."""
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return hashlib.sha256(origin.encode() + b"\n\x01" + raw).digest()[:4]
