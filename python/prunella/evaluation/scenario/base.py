"""`Scenario`: which faults, in which order, with how much healthy time between them."""

import msgspec


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A named sequence of faults from the catalogue.

    Attributes:
        name: Catalogue name.
        title: One sentence for people.
        faults: Names from the fault catalogue, in order.
        warm_up_s: Healthy trading before the first fault.
        stretch_s: Healthy trading after each fault.
        budget_s: How long a fault may take to be cured before it counts as not cured.
    """

    name: str
    title: str
    faults: tuple[str, ...]
    warm_up_s: float
    stretch_s: float
    budget_s: float
