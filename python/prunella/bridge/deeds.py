"""`Deeds`: an idempotency key, a look and an act in; the act's one reply out, over crashes too.

Before an act, what it is going to replace is written down; after it, its reply. So whoever asks
again after a crash gets the first state as the one replaced, and not the state that the lost act
had left: undoing to the latter would undo nothing.
"""

import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from prunella.control import Reply
from prunella.control.replies import KEYS_MAX, Replies


class _Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the file: the beginning of an act, or its end."""

    key: str
    before: dict[str, str] | None = None
    reply: Reply | None = None


class Deeds:
    """Carries out each key's act once; remembers in a file what was begun and what was done.

    Args:
        file: Where; without one, only this process remembers.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._replies = Replies()
        self._begun: dict[str, dict[str, str]] = {}
        if file is not None and file.exists():
            self._load(file)

    def once(
        self,
        key: str,
        look: Callable[[], dict[str, str]],
        act: Callable[[dict[str, str], bool], Reply],
    ) -> Reply:
        """The key's reply, from acting now unless it has been.

        Args:
            key: Empty: act now, remember nothing.
            look: Gives the state that the act will replace.
            act: Gets that state, and whether an earlier life began this act and may have done it.
        """
        if not key:
            return act(look(), False)  # noqa: FBT003  it stands for "again" in the protocol
        return self._replies.once(key, lambda: self._do(key, look, act))

    def _do(
        self,
        key: str,
        look: Callable[[], dict[str, str]],
        act: Callable[[dict[str, str], bool], Reply],
    ) -> Reply:
        again = key in self._begun
        if not again:
            self._begun[key] = look()
            self._write(_Line(key=key, before=self._begun[key]))
        reply = act(self._begun[key], again)
        self._write(_Line(key=key, reply=reply))
        del self._begun[key]
        return reply

    def _write(self, line: _Line) -> None:
        """Appends in one write, so that a kill leaves a whole line or a torn last one."""
        if self._file is None:
            return
        descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, msgspec.json.encode(line) + b"\n")
        finally:
            os.close(descriptor)

    def _load(self, file: Path) -> None:
        """Takes in an earlier life's lines and leaves a file of the latest ones."""
        lines = []
        for text in file.read_bytes().split(b"\n"):
            try:
                lines.append(msgspec.json.decode(text, type=_Line))
            except msgspec.MsgspecError:
                continue  # torn by a kill: what it would have said did not happen
        kept = lines[-2 * KEYS_MAX :]
        for line in kept:
            if line.before is not None:
                self._begun[line.key] = line.before
            elif line.reply is not None:
                self._begun.pop(line.key, None)
                self._replies.remember(line.key, line.reply)
        fresh = file.with_suffix(".new")
        fresh.write_bytes(b"".join(msgspec.json.encode(each) + b"\n" for each in kept))
        fresh.chmod(0o600)
        fresh.replace(file)
