"""A request in; checked, carried out once, and answered: the same behind every door of a target."""

import hmac
import threading
from collections.abc import Callable

from prunella.control.commands import Reply, Request
from prunella.control.replies import Replies
from prunella.errors import CommandUnsupportedError, PermanentError

Handler = Callable[[Request], Reply]


class Answers:
    """Carries out authenticated requests, one at a time.

    Args:
        token: What a request must carry.
        handler: Called with each authenticated request.

    The same non-empty key again gives the first reply again, through whichever door it comes.
    """

    def __init__(self, token: str, handler: Handler) -> None:
        self._token = token.encode()
        self._handler = handler
        self._turn = threading.Lock()
        self._replies = Replies()

    def to(self, request: Request) -> Reply:
        """The reply.

        Raises:
            RetryableError: Whether it was done is unknown; nothing is to be answered.
        """
        if not hmac.compare_digest(request.token.encode(), self._token):
            return Reply(ok=False, code="AUTHENTICATION_FAILED", message="wrong control token")
        with self._turn:
            return self._replies.once(request.key, lambda: self._handle(request))

    def _handle(self, request: Request) -> Reply:
        try:
            return self._handler(request)
        except CommandUnsupportedError as error:
            return Reply(ok=False, code="COMMAND_UNSUPPORTED", message=str(error))
        except PermanentError as error:
            return Reply(ok=False, code="COMMAND_FAILED", message=str(error))
