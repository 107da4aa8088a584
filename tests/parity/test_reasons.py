"""The core's closed lists against their Python mirrors."""

from prunella.trading.order import DenialReason, OrderState, denial_reasons, order_states


def test_denial_reasons_are_the_cores_in_order() -> None:
    """A reason that is added in the core alone would reach people without a name."""
    assert [reason.value for reason in DenialReason] == denial_reasons()


def test_order_states_are_the_cores_in_order() -> None:
    """A state that is added in the core alone would be refused by the records."""
    assert [state.value for state in OrderState] == order_states()
