"""Lines of a log in, those of a kind that was never seen before out."""

from prunella._core import LogTemplates

WARM_UP_LINES = 1000
"""A service's start and its first orders; before that everything is new."""


class Templates:
    """Remembers the templates of a log, 4096 at most; the least used make room.

    A line's template is what remains when words with digits and what stands in quotes are taken
    out. It is safe to pass on where the line itself, which anybody may have caused, is not.

    Args:
        warm_up: Lines before anything is called new.

    Example:
        >>> templates = Templates(warm_up=2)
        >>> [templates.update(f"order {i} filled") for i in range(3)][-1]
        ('order <*> filled', False)
        >>> templates.update("journal: disk 3 is full")
        ('journal: disk <*> is full', True)
    """

    def __init__(self, warm_up: int = WARM_UP_LINES) -> None:
        self._inner = LogTemplates(warm_up)

    def update(self, line: str) -> tuple[str, bool]:
        """Takes in one line: its template, and whether such a line is news."""
        return self._inner.update(line)
