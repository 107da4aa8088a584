"""An engine's journal in; positions, profit and fees as they stood at its end out."""

from pathlib import Path
from typing import Any

import msgspec

from prunella._core import Replica
from prunella.errors import UsageError

_ENTRIES = 100_000


def read_books(journal: Path) -> dict[str, Any]:
    """Follows a journal to its last entry and hands back the books there.

    Args:
        journal: The journal's folder.

    Returns:
        `positions` (one record per strategy and market that traded: `quantity`, `mark`, `value`,
        `average` and `fifo` with `price`, `realised` and `unrealised`, `fees`, `fees_paid` by
        asset, `fills`, `lots`; quote currency) and `scopes` by name (the same sums of the account
        and each venue, instrument and strategy, with exposure and drawdown, in the account's
        currency), `breaks` (`id`, `class`, `state`, `venue`, `symbol`, `about`, `ours`, `theirs`,
        `opened_ns`, `closed_ns`, `ended_by`; oldest first) and `break_counts`. Numbers are decimal
        text.

    Raises:
        JournalError: An entry is damaged; trying again cannot help.
        UsageError: The journal is empty.
    """
    replica = Replica(journal)
    while replica.follow(_ENTRIES)[0] == _ENTRIES:
        pass
    text = replica.books()
    if not text:
        raise UsageError(f"{journal} holds no journal of an engine, or an empty one")
    books: dict[str, Any] = msgspec.json.decode(text)
    books["scopes"] = {scope["name"]: scope for scope in books["scopes"]}
    return books


__all__ = ["Replica", "read_books"]
