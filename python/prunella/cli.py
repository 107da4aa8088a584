"""Commands in; wiring, the real clock and exit statuses out."""


def main() -> None:
    """Entry point of the command `prunella`."""
