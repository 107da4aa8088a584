"""The two halves of `cancelReplace` in; one answer out that tells what became of each."""

from collections.abc import Callable
from typing import Any, NamedTuple

from prunella.exchange import refusals

Half = Callable[[], dict[str, Any]]
Outcome = dict[str, Any] | refusals.Refusal | None


class Replacement(NamedTuple):
    """What each half gave: an answer, a refusal, or nothing because it was not tried."""

    cancel: Outcome
    new: Outcome

    @classmethod
    def of(cls, cancel: Half, place: Half, *, stops_on_failure: bool) -> "Replacement":
        """Performs the halves in order."""
        first = _try(cancel)
        if stops_on_failure and isinstance(first, refusals.Refusal):
            return cls(first, None)
        return cls(first, _try(place))

    def answer(self) -> dict[str, Any]:
        """The answer when both were done.

        Raises:
            Refusal: 400 (-2022) when neither was done, 409 (-2021) when one was.
        """
        told = {
            "cancelResult": _word(self.cancel),
            "newOrderResult": _word(self.new),
            "cancelResponse": _response(self.cancel),
            "newOrderResponse": _response(self.new),
        }
        done = [isinstance(half, dict) for half in self]
        if all(done):
            return told
        if any(done):
            raise refusals.Refusal(409, -2021, "Order cancel-replace partially failed.", data=told)
        raise refusals.Refusal(400, -2022, "Order cancel-replace failed.", data=told)


def _try(act: Half) -> Outcome:
    try:
        return act()
    except refusals.Refusal as refusal:
        return refusal


def _word(outcome: Outcome) -> str:
    if outcome is None:
        return "NOT_ATTEMPTED"
    return "SUCCESS" if isinstance(outcome, dict) else "FAILURE"


def _response(outcome: Outcome) -> dict[str, Any] | None:
    if isinstance(outcome, refusals.Refusal):
        return {"code": outcome.code, "msg": outcome.message}
    return outcome
