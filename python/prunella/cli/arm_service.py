"""Entry point of an arm's processes: `python -m prunella.cli.arm_service NAME HOME ARM SEED TRUTH`.

Only `prunella evaluate` starts it, and only for the agents and the healing plane: whoever trades
runs exactly as delivered. An arm changes who judges; policy, signatures and the ledger stay.
"""

import sys
from pathlib import Path

import msgspec

from prunella.cli.clock import SystemClock
from prunella.cli.context import Context
from prunella.cli.service import EXIT_UNUSABLE, agent, healing
from prunella.config import load
from prunella.errors import PrunellaError
from prunella.evaluation.arm import ARMS, Surroundings
from prunella.healing.remediate import load_catalogue
from prunella.values import Home


def main() -> None:
    """Runs one service of an arm until it is told to stop."""
    name, root, arm_name, seed, truth = sys.argv[1:6]
    home = Home(Path(root))
    arm = ARMS[arm_name]
    try:
        context = Context(name, home, load(home.settings), SystemClock())
        if name == "healing":
            catalogue = load_catalogue()
            if arm.naive:
                catalogue = {
                    each: msgspec.structs.replace(workflow, preconditions=None)
                    for each, workflow in catalogue.items()
                }
            healing(context, catalogue)
        else:
            around = Surroundings(seed=int(seed), truth=None if truth == "-" else Path(truth))
            make = arm.agent
            agent(context, make and (lambda spec, topology: make(spec, topology, around)))
    except KeyboardInterrupt:
        sys.exit(130)
    except PrunellaError as error:
        sys.stderr.write(f"{name}: {error}\n")
        sys.exit(EXIT_UNUSABLE)


if __name__ == "__main__":
    main()
