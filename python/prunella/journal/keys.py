"""A path in, an Ed25519 key out; a private key that others can read is refused."""

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
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
    """Loads the private key in `path`, or makes it (PEM, mode 0600); never replaces one.

    The public key is written beside it, with the suffix `.pub`, when it is missing.

    Raises:
        AuthenticationError: What is there is not such a key, or others can read it.
    """
    if path.exists():
        key = load_private_key(path)
    else:
        key = Ed25519PrivateKey.generate()
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        # Exclusive and private from the first instant: no moment at which others could read it.
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(private)
    public = path.with_suffix(".pub")
    if not public.exists():
        public.write_bytes(
            key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        )
    return key


def load_private_key(path: Path) -> Ed25519PrivateKey:
    """The Ed25519 private key in `path` (PEM).

    Raises:
        AuthenticationError: It is missing, of another kind, or readable by group or others.
    """
    try:
        mode = path.stat().st_mode & 0o777
        text = path.read_bytes()
    except OSError as error:
        raise AuthenticationError(f"{path}: no private key: {error.strerror}") from None
    if mode & 0o077:
        raise AuthenticationError(
            f"{path}: mode {mode:04o} lets others at a private key, expected 0600: "
            f"if nobody had it, run chmod 600 {path}; otherwise make a new key"
        )
    try:
        key = load_pem_private_key(text, password=None)
    except (ValueError, TypeError) as error:
        raise AuthenticationError(f"{path}: found no PEM private key ({error})") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise AuthenticationError(
            f"{path}: found {type(key).__name__}, expected an Ed25519 private key"
        )
    return key


def load_public_key(path: Path) -> Ed25519PublicKey:
    """The Ed25519 public key in `path` (PEM).

    Raises:
        AuthenticationError: It is missing or of another kind.
    """
    try:
        key = load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise AuthenticationError(f"{path}: no public key: {error.strerror}") from None
    except ValueError as error:
        raise AuthenticationError(f"{path}: found no PEM public key ({error})") from None
    if not isinstance(key, Ed25519PublicKey):
        raise AuthenticationError(
            f"{path}: found {type(key).__name__}, expected an Ed25519 public key"
        )
    return key
