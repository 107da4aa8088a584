"""The compiled matching engine: market frames and orders in, matches and book text out.

`Wallets` holds what accounts own, and `Matching` is one market in which they trade; all numbers are
integers of 1e-9, market frames are decimal text as recorded. `load`, `diff`, `ticker` and `trade`
play the market; `place` and `cancel` are our orders. Each returns what happened, as `Match`
records in order:

- `accepted`, `filled`, `canceled`, `expired`, `expired_in_match` concern the order `order`;
- `printed` is a public trade; every fill of an order has the number of the trade printed for it.

`depth(limit)` gives the visible book as JSON text, `take_changes(publisher)` what changed since
that publisher (0: fast stream, 1: slow stream) last asked.
"""

from prunella._core import Match, Matching, Wallets

__all__ = ["Match", "Matching", "Wallets"]
