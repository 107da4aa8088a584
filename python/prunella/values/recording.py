r"""Files of recorded market data in; each frame's receive time and raw JSON out.

`Recording(paths)` iterates over `(ts_ns, frame)`: when the frame was received, in nanoseconds UTC,
and the JSON exactly as the venue sent it. A line of a recording is `RECEIVE_TIME_NS JSON`; files
are plain or gzip (told by their first bytes), are read one after the other, and may end in empty
lines.
Frames are read as they are asked for, so a recording of any length takes little memory. `place` is
where the last frame was, `FILE: line N`, for messages about what is in it.

Raises `prunella.errors.RecordingError`, on opening or while iterating, when a file is missing, is
not gzip though its name says so, is cut off, is of an unknown format, has a broken line, or when
time runs backwards by more than a minute. The message names file, line, what was found and what was
expected. Trying again cannot help.

Example:
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "session")
    ...     _ = path.write_text('1723161253937085768 {"u":1}\n1723161253937085999 {"u":2}\n')
    ...     list(Recording([str(path)]))
    [(1723161253937085768, b'{"u":1}'), (1723161253937085999, b'{"u":2}')]
"""

from prunella._core import Recording

__all__ = ["Recording"]
