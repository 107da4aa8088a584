"""What venues have in common whose snapshot comes in the stream: nothing is to be requested."""


class Streamed:
    """The parts of `Venue` that are the same wherever a subscription brings the snapshot."""

    def snapshot_path(self, symbol: str) -> str | None:
        """None: the stream brings it."""
        del symbol
        return None

    def snapshot_line(self, symbol: str, answer: str, *, alone: bool) -> str:
        """Never asked for."""
        del symbol, alone
        return answer


__all__ = ["Streamed"]
