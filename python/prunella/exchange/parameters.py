"""A request's parameters in; checked values out, refused in the venue's words."""

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

from prunella.exchange import refusals
from prunella.values import parse_fixed

DECIMAL = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?")
CLIENT_ID_LEGAL = "^[a-zA-Z0-9-_]{1,36}$"
CLIENT_ID = re.compile(r"[a-zA-Z0-9_-]{1,36}")
SYMBOL_LEGAL = "^[A-Z0-9-_.]{1,20}$"
SYMBOL = re.compile(r"[A-Z0-9_.-]{1,20}")
# The venue holds eight decimals, we nine.
RAW_PER_DIGIT = 10
RAW_MAX = 2**63 - 1
SIGNING = frozenset({"timestamp", "recvWindow", "signature", "apiKey"})


def parse_form(*texts: str) -> dict[str, str]:
    """Query string and form body in, parameters out.

    Raises:
        Refusal: A parameter came twice.
    """
    values: dict[str, str] = {}
    for text in texts:
        for name, value in parse_qsl(text, keep_blank_values=True):
            if name in values:
                raise refusals.duplicated()
            values[name] = value
    return values


class Parameters:
    """Parameters of one call; `done()` refuses those that nobody read."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self._read: set[str] = set()

    def text(self, name: str) -> str | None:
        """The value, or nothing."""
        self._read.add(name)
        value = self._values.get(name)
        if value == "":
            raise refusals.empty(name)
        return value

    def required(self, name: str) -> str:
        """The value, which has to be there."""
        value = self.text(name)
        if value is None:
            raise refusals.missing(name)
        return value

    def decimal(self, name: str) -> int | None:
        """A decimal as raw 1e-9."""
        value = self.text(name)
        if value is None:
            return None
        if not DECIMAL.fullmatch(value):
            raise refusals.illegal_characters(name, r"^([0-9]{1,20})(\.[0-9]{1,20})?$")
        try:
            raw = parse_fixed(value)
        except ValueError:
            raise refusals.precision(name) from None
        if raw % RAW_PER_DIGIT:
            raise refusals.precision(name)
        if raw > RAW_MAX:
            raise refusals.data_invalid(name)
        return raw

    def integer(self, name: str) -> int | None:
        """A whole number of zero or more."""
        value = self.text(name)
        if value is None:
            return None
        if not value.isascii() or not value.isdigit() or len(value) > 20:
            raise refusals.illegal_characters(name, "^[0-9]{1,20}$")
        return int(value)

    def client_id(self, name: str) -> str | None:
        """A client order id."""
        value = self.text(name)
        if value is not None and not CLIENT_ID.fullmatch(value):
            raise refusals.illegal_characters(name, CLIENT_ID_LEGAL)
        return value

    def symbol(self) -> str:
        """A symbol's name, which has to be there; whether it is traded is the venue's to say."""
        value = self.optional_symbol()
        if value is None:
            raise refusals.missing("symbol")
        return value

    def optional_symbol(self) -> str | None:
        """A symbol's name, or nothing."""
        value = self.text("symbol")
        if value is not None and not SYMBOL.fullmatch(value):
            raise refusals.illegal_characters("symbol", SYMBOL_LEGAL)
        return value

    def done(self) -> None:
        """Every parameter that was sent has been read."""
        sent = set(self._values) - SIGNING
        if sent - self._read:
            raise refusals.unread(len(sent & self._read), len(sent))
