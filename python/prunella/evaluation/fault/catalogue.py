"""The faults by name: a plain table; adding one is one file and one row."""

from prunella.evaluation.fault.base import Fault
from prunella.evaluation.fault.cpu_hog import CpuHog
from prunella.evaluation.fault.engine_crash import EngineCrash
from prunella.evaluation.fault.market_burst import MarketBurst
from prunella.evaluation.fault.order_path_overload import OrderPathOverload
from prunella.evaluation.fault.planned_restart import PlannedRestart
from prunella.evaluation.fault.venue_freeze import VenueFreeze

FAULTS: dict[str, Fault] = {
    fault.name: fault
    for fault in (
        EngineCrash(),
        VenueFreeze(),
        CpuHog(),
        OrderPathOverload(),
        MarketBurst(),
        PlannedRestart(),
    )
}
