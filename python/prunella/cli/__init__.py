"""The command `prunella`: wiring, the real clock, messages for people and exit statuses.

Exit statuses: 0 done; 1 done, and the answer is no (a ledger that does not verify, a demo whose
faults were not all cured); 2 the request cannot be carried out; 130 interrupted.
"""

import sys


def main() -> None:
    """Entry point: runs a command; a person's mistake gives a sentence, not a stack trace."""
    from prunella.errors import PrunellaError  # noqa: PLC0415

    try:
        from prunella.cli.app import app  # noqa: PLC0415  services start without typer and rich

        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except (PrunellaError, OSError) as error:
        sys.stderr.write(f"prunella: {error}\n")
        sys.exit(2)
