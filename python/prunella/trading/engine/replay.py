"""An engine's journal in; the proof that replaying it gives the recorded states out."""

from pathlib import Path
from typing import Any

import msgspec

from prunella import _core
from prunella.errors import InvariantError, UsageError


def replay(journal: Path, *, from_snapshot: bool = False) -> dict[str, Any]:
    """Replays a journal through the core and compares every recorded state hash.

    Args:
        journal: The journal's folder.
        from_snapshot: Begin at the newest good snapshot instead of the first entry.

    Returns:
        `entries`, `frames`, `orders` and `checks` (state hashes compared) that were replayed,
        `last_order_seq` (the last entry that made an order), `market_age_ns_max` (the oldest
        market data that an order was sent on), `reflexes` (time in nanoseconds UTC, venue or
        nothing for everywhere, name), `from_seq`, `last_seq`,
        `state_hash`, `seconds`, `frames_per_second`, and `hash_equal`; where a hash differs, only
        `hash_equal` (false) and `problem`.

    Raises:
        JournalError: An entry is damaged; trying again cannot help.
        UsageError: The journal is empty.
    """
    try:
        found = _core.replay(str(journal), from_snapshot=from_snapshot)
    except InvariantError as error:
        return {"hash_equal": False, "problem": str(error)}
    if found is None:
        raise UsageError(f"{journal} holds no journal of an engine, or an empty one")
    return found | {"hash_equal": True}


def order_trails(journal: Path) -> list[dict[str, Any]]:
    """Replays a journal and tells the life of every order, oldest first.

    Args:
        journal: The journal's folder.

    Returns:
        One record per order: `id`, `parent` (number of the kept order that it is a part of; 0 for
        none), `strategy`, `venue`, `symbol`, `side`, `price`, `quantity`, `events` (journal entry
        `seq`, `at_ns`, `state`, `filled`, `cause`) and `offers` (what every venue offered when it
        was routed; empty when its venue was named). Prices and quantities are decimal text.

    Raises:
        JournalError: An entry is damaged; trying again cannot help.
        InvariantError: A replayed state differs from the recorded one.
    """
    return msgspec.json.decode(_core.order_trails(str(journal)), type=list[dict[str, Any]])
