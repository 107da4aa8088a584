"""A signed verdict in, the verdict out, or a refusal that says what is wrong with it.

The key that signs lives with the stage that decides; the stages that act hold only the public key.
So a bug (or a model) on the acting side cannot write its own permission.
"""

import hashlib

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from prunella.errors import AuthenticationError
from prunella.healing.incident.records import Action, SignedVerdict, Verdict

VERDICT_LIFE_NS_MAX = 30_000_000_000
"""No verdict lives longer, whatever it says: an old permission must not fit a new situation."""


def key_id(public_key: Ed25519PublicKey) -> str:
    """First 16 hex digits of the SHA-256 of the raw public key."""
    raw = public_key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:16]


def sign_verdict(verdict: Verdict, private_key: Ed25519PrivateKey) -> SignedVerdict:
    """The verdict's bytes with their signature."""
    encoded = msgspec.msgpack.encode(verdict)
    return SignedVerdict(
        verdict=encoded,
        signature=private_key.sign(encoded),
        key_id=key_id(private_key.public_key()),
    )


def verify_verdict(
    signed: SignedVerdict, action: Action, now_ns: int, public_key: Ed25519PublicKey
) -> Verdict:
    """The verdict, if it allows exactly `action` now.

    Args:
        signed: What the deciding stage handed over.
        action: What is about to be done.
        now_ns: Nanoseconds UTC.
        public_key: The deciding stage's public key.

    Raises:
        AuthenticationError: Unsigned, altered, expired, not yet valid, a denial, or about another
            action. Retrying cannot help; a new decision may.
    """
    if signed.key_id != key_id(public_key):
        raise AuthenticationError(f"verdict: signed by unknown key {signed.key_id!r}")
    try:
        public_key.verify(signed.signature, signed.verdict)
    except InvalidSignature:
        raise AuthenticationError("verdict: the signature does not fit the bytes") from None
    try:
        verdict = msgspec.msgpack.decode(signed.verdict, type=Verdict)
    except msgspec.DecodeError as error:
        raise AuthenticationError(f"verdict: not a verdict: {error}") from None
    if not verdict.allowed:
        raise AuthenticationError(f"verdict: {verdict.reason} is a denial")
    if verdict.action != action:
        raise AuthenticationError(f"verdict: allows {verdict.action}, asked for {action}")
    if not verdict.issued_ns <= now_ns < verdict.expires_ns:
        raise AuthenticationError(
            f"verdict: valid from {verdict.issued_ns} to {verdict.expires_ns}, it is {now_ns}"
        )
    if verdict.expires_ns - verdict.issued_ns > VERDICT_LIFE_NS_MAX:
        raise AuthenticationError("verdict: lives longer than any verdict may")
    return verdict
