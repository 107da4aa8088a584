"""A recorded session in; how many frames a second a replay of its journal takes in, printed.

Checksums, hash chain and state hashes are compared. Goal: at least 500,000 frames a second.

    python bench/replay.py [RECORDING ...]
"""

import tempfile
from pathlib import Path

from machine import describe
from prunella.trading.engine import measure_session, replay
from tick_to_order import SETTINGS, recordings

_RUNS = 3


def main() -> None:
    """Prints the figures."""
    print(describe())
    with tempfile.TemporaryDirectory(prefix="prunella-replay-") as folder:
        measure_session(recordings(), config=SETTINGS.core(), journal=Path(folder))
        for _ in range(_RUNS):
            found = replay(Path(folder))
            print(
                f"replay          {found['frames_per_second']:,.0f} frames/s   "
                f"{found['entries']} entries, {found['frames']} frames, {found['orders']} orders, "
                f"{found['checks']} state hashes equal: {found['hash_equal']}"
            )


if __name__ == "__main__":
    main()
