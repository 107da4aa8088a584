"""How control travels over a unix socket: one JSON document a line, bounded, in both directions."""

import socket

from prunella.errors import PermanentError

LINE_BYTES_MAX = 64 * 1024
"""A line longer than any command: whoever sends more is not speaking this protocol."""


class Lines:
    """Reads lines from a connected socket, never more than the bound."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = bytearray()

    def read(self) -> bytes | None:
        """The next line without its end, or None when the peer is done.

        Raises:
            PermanentError: The line is longer than the bound.
            OSError: The socket failed or timed out.
        """
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > LINE_BYTES_MAX:
                raise PermanentError(f"a line may have {LINE_BYTES_MAX} bytes at the most")
            chunk = self._connection.recv(16 * 1024)
            if not chunk:
                return None
            self._buffer += chunk
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line
