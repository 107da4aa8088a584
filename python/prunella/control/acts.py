"""A change that loosens and a person's key in; a signed act out, and whether one holds.

What is signed is the exact change with its end and a number used once, so that a signature cannot
be moved to another value, kept for later, or used twice (the engine remembers the numbers).
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from prunella.control.commands import SetLimit, SignedAct
from prunella.errors import ConfigError

ACT_NS_MAX = 86_400_000_000_000
"""A signature may be good for a day at most: who signs has today's state in mind."""


Parts = tuple[str | bool | dict[str, str], ...]
"""What an act is about; every part is signed."""


def act_text(kind: str, parts: Parts, *, person: str, nonce: str, until_ns: int) -> bytes:
    """What a person signs for an act of a kind, such as `set_limit`."""
    act = [f"prunella {kind} 1", *parts, person, nonce, until_ns]
    return msgspec.json.encode(act, order="deterministic")


def sign_act(
    kind: str, parts: Parts, *, person: str, nonce: str, until_ns: int, key: Ed25519PrivateKey
) -> SignedAct:
    """The person's signature over the act."""
    text = act_text(kind, parts, person=person, nonce=nonce, until_ns=until_ns)
    return SignedAct(person=person, nonce=nonce, until_ns=until_ns, signature=key.sign(text).hex())


def sign_limit(
    name: str, value: str, *, person: str, nonce: str, until_ns: int, key: Ed25519PrivateKey
) -> SetLimit:
    """The command with the person's signature.

    Example:
        >>> key = Ed25519PrivateKey.generate()
        >>> told = sign_limit("account.loss_max", "5", person="ann", nonce="1", until_ns=9, key=key)
        >>> why_not_allowed(told, {"ann": public_text(key)}, now_ns=8)
        ''
        >>> why_not_allowed(told, {}, now_ns=8)
        "nobody called 'ann' may sign"
    """
    signed = sign_act(
        "set_limit", (name, value), person=person, nonce=nonce, until_ns=until_ns, key=key
    )
    return SetLimit(name=name, value=value, signed=signed)


def public_text(key: Ed25519PrivateKey) -> str:
    """The public half as the file of allowed keys has it: hexadecimal."""
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def read_persons(path: Path) -> dict[str, str]:
    """Names and public keys of who may sign; none when there is no such file.

    Raises:
        ConfigError: The file is no TOML of `name = "hexadecimal key"`.
    """
    try:
        return msgspec.toml.decode(path.read_bytes(), type=dict[str, str])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError) as error:
        raise ConfigError(f'{path}: expected lines of name = "public key": {error}') from None


def why_not_allowed(command: SetLimit, persons: Mapping[str, str], *, now_ns: int) -> str:
    """Why the signature does not hold; empty when it does, or when there is none to check."""
    if command.signed is None:
        return ""
    parts = (command.name, command.value)
    return why_not_signed("set_limit", parts, command.signed, persons, now_ns=now_ns)


def why_not_signed(
    kind: str, parts: Parts, act: SignedAct, persons: Mapping[str, str], *, now_ns: int
) -> str:
    """Why the signature over the act does not hold; empty when it does."""
    if act.person not in persons:
        return f"nobody called {act.person!r} may sign"
    if not now_ns < act.until_ns <= now_ns + ACT_NS_MAX:
        return "the signature has expired, or is good for more than a day"
    text = act_text(kind, parts, person=act.person, nonce=act.nonce, until_ns=act.until_ns)
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(persons[act.person]))
        key.verify(bytes.fromhex(act.signature), text)
    except (ValueError, InvalidSignature):
        return f"the signature is not {act.person}'s over this change"
    return ""
