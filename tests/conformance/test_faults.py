"""Every fault of the catalogue: what it says of itself is whole and fits what is delivered."""

import inspect

import pytest
from prunella.evaluation.fault import FAULTS, Fault
from prunella.healing.remediate import load_catalogue
from prunella.telemetry import DOMAINS

KNOWN = pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))


def test_the_catalogue_is_as_broad_as_promised() -> None:
    """At least thirty faults in every domain, and five kinds of negatives."""
    faults = [each for each in FAULTS.values() if each.kind != "negative"]
    assert len(faults) >= 30
    assert len(FAULTS) - len(faults) >= 5
    assert {each.domain for each in faults} >= set(DOMAINS) - {"strategy"}


@KNOWN
def test_what_it_says_of_itself_is_whole(fault: Fault) -> None:
    """Name, title, class, remedies and severities, as its kind wants them."""
    assert fault.title
    assert fault.severities
    assert set(fault.severities) <= {1, 2, 3}
    if fault.kind == "negative":
        assert (fault.fault_class, fault.workflows) == ("", frozenset())
        assert fault.hold_s > 0
    else:
        assert fault.fault_class
        assert fault.fault_class == fault.fault_class.lower()
    if fault.kind == "state":
        assert fault.workflows
    if fault.kind == "held":
        assert fault.hold_s >= 5


@KNOWN
def test_its_remedies_are_in_the_catalogue(fault: Fault) -> None:
    """A remedy that nobody can carry out would make the fault impossible to heal."""
    assert fault.workflows <= set(load_catalogue())


@KNOWN
def test_its_severities_are_those_it_has_figures_for(fault: Fault) -> None:
    """A severity without a figure would only be found while the stack is running."""
    for table in ("behaviours", "disturbances"):
        assert set(getattr(fault, table, dict.fromkeys(fault.severities))) >= set(fault.severities)


@KNOWN
def test_it_has_a_file_of_its_own_that_says_what_it_does(fault: Fault) -> None:
    """One fault, one file, whose first line is a sentence."""
    module = inspect.getmodule(type(fault))
    assert module is not None
    assert (module.__doc__ or "").splitlines()[0].endswith(".") or ":" in (module.__doc__ or "")
    assert type(fault).__doc__
