"""Price levels in, as integers of 1e-9, one by one or as NumPy arrays; the sorted book out.

`Book` is the trading core's own. `apply(bids, asks)` takes int64 arrays of rows (price, quantity)
and reads them where they lie; later rows win, quantity 0 removes a level. A side keeps its best
16,384.

    >>> import numpy as np
    >>> from prunella.trading.market import Book
    >>> book = Book()
    >>> unit = 10**9
    >>> bids = np.array([[100 * unit, 3 * unit], [99 * unit, 5 * unit]])
    >>> asks = np.array([[101 * unit, 1 * unit]])
    >>> book.apply(bids, asks)
    >>> book.best_bid, book.best_ask
    ((100000000000, 3000000000), (101000000000, 1000000000))
    >>> book.microprice  # nearer to the side that has less
    100750000000
    >>> book.imbalance_ppm(1)
    500000
    >>> book.set(True, 100 * unit, 0)
    >>> book.bids(10), book.depth()
    ([(99000000000, 5000000000)], (1, 1))
    >>> len(book.digest())  # the same for equal books alone
    32

`TypeError`: not int64. `ValueError`: wrong shape, or a row with a price that is not positive or a
quantity below 0; the message names the row, and rows before its batch of 64 have been applied.
"""

from prunella._core import Book

__all__ = ["Book"]
