"""Entry point of each supervised process: `python -m prunella.cli.service NAME HOME`.

Kept apart from the person's commands: a service imports what it runs and nothing else, because the
engine's way back after a crash begins with these imports.
"""

import sys
from pathlib import Path

from prunella.cli.clock import SystemClock
from prunella.config import Settings, load
from prunella.errors import PrunellaError
from prunella.values import Home

EXIT_UNUSABLE = 2
"""Settings or keys that cannot work: starting again will not help."""


def main() -> None:
    """Runs one service until it is told to stop."""
    name, root = sys.argv[1:3]
    home = Home(Path(root))
    try:
        _run(name, home, load(home.settings))
    except KeyboardInterrupt:
        sys.exit(130)
    except PrunellaError as error:
        sys.stderr.write(f"{name}: {error}\n")
        sys.exit(EXIT_UNUSABLE)


def _run(name: str, home: Home, settings: Settings) -> None:
    """Imports and runs the service of that name."""
    clock = SystemClock()
    port = settings.ports()[name]
    raise NotImplementedError(name, home, clock, port)


if __name__ == "__main__":
    main()
