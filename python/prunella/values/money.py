"""Fixed-point text and integers: raw units of 1e-9, exact or refused."""

from decimal import Decimal, InvalidOperation

SCALE = 1_000_000_000


def parse_fixed(text: str) -> int:
    """Decimal text in, raw 1e-9 integer out.

    Raises:
        ValueError: The text is not a finite decimal or needs more than nine decimals;
            trying again cannot help.

    Example:
        >>> parse_fixed("61837.63000000")
        61837630000000
    """
    try:
        scaled = Decimal(text).scaleb(9)
        raw = int(scaled)
    except (InvalidOperation, ValueError, OverflowError):
        raise ValueError(f"expected a decimal number, found {text!r}") from None
    if raw != scaled:
        raise ValueError(f"expected at most nine decimals, found {text!r}")
    return raw


def format_fixed(raw: int, decimals: int | None = None) -> str:
    """Raw 1e-9 integer in, decimal text out; exact.

    Args:
        raw: Units of 1e-9.
        decimals: Digits after the point (0 to 9); without it, as many as are needed. Digits
            beyond them must be zero.

    Raises:
        ValueError: `decimals` digits cannot hold the value exactly.

    Example:
        >>> format_fixed(61837630000000), format_fixed(500_000_000, 8)
        ('61837.63', '0.50000000')
    """
    sign = "-" if raw < 0 else ""
    whole, fraction = divmod(abs(raw), SCALE)
    digits = f"{fraction:09d}"
    if decimals is None:
        digits = digits.rstrip("0")
    else:
        if digits[decimals:].strip("0"):
            raise ValueError(f"{raw} needs more than {decimals} decimals")
        digits = digits[:decimals]
    return f"{sign}{whole}.{digits}" if digits else f"{sign}{whole}"
