"""The venue's refusals: HTTP status, code and message, in the words of Binance spot."""

from typing import Any


class Refusal(Exception):  # noqa: N818 - an answer that the client gets, not a fault of ours
    """A definite answer that nothing was done (or, with 5xx, that nobody knows).

    Attributes:
        status: HTTP status.
        code: The venue's error code.
        message: The venue's message.
        retry_after_s: For 429 and 418.
        data: For calls of several parts, what became of each.
    """

    def __init__(
        self,
        status: int,
        code: int,
        message: str,
        *,
        retry_after_s: int | None = None,
        data: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after_s = retry_after_s
        self.data = data

    def body(self) -> dict[str, Any]:
        """What the client reads."""
        told: dict[str, Any] = {"code": self.code, "msg": self.message}
        return told | {"data": self.data} if self.data else told


def fate_unknown() -> Refusal:
    """The answer of an overloaded order path: executed or not, nobody says."""
    return Refusal(
        503,
        -1007,
        "Timeout waiting for response from backend server. "
        "Send status unknown; execution status unknown.",
    )


def throttled(retry_after_s: int = 1) -> Refusal:
    """Refused because there were too many requests."""
    return Refusal(429, -1003, "Too many requests queued.", retry_after_s=retry_after_s)


def weight_used(limit: int, retry_after_s: int) -> Refusal:
    """The request weight of this minute is used up."""
    return Refusal(
        429,
        -1003,
        f"Too much request weight used; current limit is {limit} request weight per 1 MINUTE. "
        "Please use WebSocket Streams for live updates to avoid polling the API.",
        retry_after_s=retry_after_s,
    )


def banned(until_ms: int, retry_after_s: int) -> Refusal:
    """The client went on after 429."""
    return Refusal(
        418,
        -1003,
        f"Way too much request weight used; IP banned until {until_ms}. "
        "Please use WebSocket Streams for live updates to avoid bans.",
        retry_after_s=retry_after_s,
    )


def too_many_orders(limit: int, interval: str, retry_after_s: int) -> Refusal:
    """More new orders than allowed."""
    return Refusal(
        429,
        -1015,
        f"Too many new orders; current limit is {limit} orders per {interval}.",
        retry_after_s=retry_after_s,
    )


def timestamp_ahead() -> Refusal:
    """The client's clock runs ahead."""
    return Refusal(400, -1021, "Timestamp for this request was 1000ms ahead of the server's time.")


def timestamp_outside() -> Refusal:
    """The request came too late."""
    return Refusal(400, -1021, "Timestamp for this request is outside of the recvWindow.")


def signature_invalid() -> Refusal:
    """The signature does not belong to the parameters."""
    return Refusal(400, -1022, "Signature for this request is not valid.")


def illegal_characters(name: str, legal: str) -> Refusal:
    """A parameter has characters that it may not have."""
    return Refusal(
        400, -1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'."
    )


def duplicated() -> Refusal:
    """A parameter came twice."""
    return Refusal(400, -1101, "Duplicate values for a parameter detected.")


def missing(name: str) -> Refusal:
    """A mandatory parameter is not there."""
    return Refusal(
        400, -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
    )


def either_missing(one: str, other: str) -> Refusal:
    """One of two parameters has to be there."""
    return Refusal(
        400, -1102, f"Param '{one}' or '{other}' must be sent, but both were empty/null!"
    )


def unread(read: int, sent: int) -> Refusal:
    """Parameters that the call does not know."""
    return Refusal(
        400,
        -1104,
        f"Not all sent parameters were read; read '{read}' parameter(s) but was sent '{sent}'.",
    )


def empty(name: str) -> Refusal:
    """A parameter without a value."""
    return Refusal(400, -1105, f"Parameter '{name}' was empty.")


def not_required(name: str) -> Refusal:
    """A parameter that does not belong to this kind of order."""
    return Refusal(400, -1106, f"Parameter '{name}' sent when not required.")


def precision(name: str) -> Refusal:
    """More decimals than the venue holds."""
    return Refusal(400, -1111, f"Parameter '{name}' has too much precision.")


def invalid(code: int, what: str) -> Refusal:
    """-1115 `timeInForce`, -1116 `orderType`, -1117 `side`, -1121 `symbol`."""
    return Refusal(400, code, f"Invalid {what}.")


def data_invalid(name: str) -> Refusal:
    """A value that the parameter cannot have."""
    return Refusal(400, -1130, f"Data sent for parameter '{name}' is not valid.")


def filter_failed(name: str) -> Refusal:
    """Outside one of the symbol's filters."""
    return Refusal(400, -1013, f"Filter failure: {name}")


def order_rejected(message: str) -> Refusal:
    """The matching engine refused a new order."""
    return Refusal(400, -2010, message)


def cancel_rejected() -> Refusal:
    """There is no such open order to cancel."""
    return Refusal(400, -2011, "Unknown order sent.")


def no_such_order() -> Refusal:
    """There never was such an order."""
    return Refusal(400, -2013, "Order does not exist.")


def key_malformed() -> Refusal:
    """No key, or not of a key's form."""
    return Refusal(401, -2014, "API-key format invalid.")


def key_unknown() -> Refusal:
    """A key that the exchange does not know."""
    return Refusal(401, -2015, "Invalid API-key, IP, or permissions for action.")
