"""Every exception of the project; the tree says whether trying again can help.

```
PrunellaError
├── RetryableError        waiting can help; carries retry_after_ns
│   ├── VenueUnavailableError
│   ├── FeedStaleError
│   └── TargetUnavailableError   a process or controller did not answer
├── PermanentError        trying again cannot help
│   ├── ConfigError
│   ├── RecordingError
│   ├── JournalError
│   ├── CommandUnsupportedError
│   ├── AuthenticationError
│   └── UsageError        what the person asked for cannot be done as things stand
└── InvariantError        our bug: stop, never caught inside a plane
```
"""


class PrunellaError(Exception):
    """Root of all errors that this project raises on purpose."""


class RetryableError(PrunellaError):
    """Waiting can help.

    Attributes:
        retry_after_ns: How long to wait before the next attempt, in nanoseconds.
    """

    def __init__(self, message: str, *, retry_after_ns: int = 0) -> None:
        super().__init__(message)
        self.retry_after_ns = retry_after_ns


class VenueUnavailableError(RetryableError):
    """The venue does not answer or refuses for now."""


class FeedStaleError(RetryableError):
    """Market data is older than its limit."""


class TargetUnavailableError(RetryableError):
    """A process or controller that we command did not answer in time."""


class PermanentError(PrunellaError):
    """Trying again cannot help."""


class ConfigError(PermanentError):
    """A setting is missing, misspelt or out of range; the message names it."""


class RecordingError(PermanentError):
    """A recording cannot be read; the message names file, line, found and expected."""


class JournalError(PermanentError):
    """A journal or ledger is damaged or of another format; the message names the entry."""


class CommandUnsupportedError(PermanentError):
    """The target does not know this command."""


class AuthenticationError(PermanentError):
    """A token or signature is missing, wrong, expired or altered."""


class UsageError(PermanentError):
    """What the person asked for cannot be done as things stand; the message says what can."""


class InvariantError(PrunellaError):
    """Our own bug: the process stops rather than go on with a state that cannot be."""
