"""Signed requests in, the account that signed out."""

import hmac
from collections.abc import Mapping, Sequence

from prunella.exchange import refusals
from prunella.exchange.parameters import Parameters
from prunella.exchange.settings import AccountSettings

RECV_WINDOW_MS = 5_000
RECV_WINDOW_MS_MAX = 60_000
# How far a client's clock may run ahead.
AHEAD_MS_MAX = 1_000


class Authenticator:
    """Knows the keys of the accounts."""

    def __init__(self, accounts: Sequence[AccountSettings]) -> None:
        self._keys = {
            settings.key.api_key: (index, settings.key.secret.encode())
            for index, settings in enumerate(accounts)
        }

    def verify(
        self, api_key: str | None, payload: bytes, values: Mapping[str, str], now_ms: int
    ) -> int:
        """The account whose key signed `payload` just now.

        Args:
            api_key: As sent.
            payload: What was signed.
            values: All parameters, among them `timestamp`, `recvWindow` and `signature`.
            now_ms: The venue's time.

        Raises:
            Refusal: -2014, -2015, -1102, -1131, -1021 or -1022.
        """
        if not api_key or not api_key.isascii() or not api_key.isalnum():
            raise refusals.key_malformed()
        known = self._keys.get(api_key)
        if known is None:
            raise refusals.key_unknown()
        account, secret = known
        parameters = Parameters(values)
        signature = parameters.required("signature")
        timestamp_ms = parameters.integer("timestamp")
        if timestamp_ms is None:
            raise refusals.missing("timestamp")
        window_ms = parameters.integer("recvWindow")
        if window_ms is None:
            window_ms = RECV_WINDOW_MS
        if window_ms > RECV_WINDOW_MS_MAX:
            raise refusals.Refusal(
                400, -1131, f"recvWindow must be less than {RECV_WINDOW_MS_MAX}."
            )
        if timestamp_ms >= now_ms + AHEAD_MS_MAX:
            raise refusals.timestamp_ahead()
        if now_ms - timestamp_ms > window_ms:
            raise refusals.timestamp_outside()
        expected = hmac.digest(secret, payload, "sha256").hex()
        if not hmac.compare_digest(expected.encode(), signature.lower().encode()):
            raise refusals.signature_invalid()
        return account


def signed_form(query: str, body: str) -> bytes:
    """What a REST client signs: query string and body, without the signature itself."""
    parts = [
        "&".join(pair for pair in text.split("&") if not pair.startswith("signature="))
        for text in (query, body)
    ]
    return "".join(parts).encode()


def signed_values(values: Mapping[str, str]) -> bytes:
    """What a WebSocket API client signs: the parameters by name, without the signature."""
    names = sorted(name for name in values if name != "signature")
    return "&".join(f"{name}={values[name]}" for name in names).encode()
