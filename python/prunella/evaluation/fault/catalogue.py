"""The faults by name: a plain table; adding one is one file and one row."""

from prunella.evaluation.fault.agent_crash import AgentCrash
from prunella.evaluation.fault.agent_frozen import AgentFrozen
from prunella.evaluation.fault.backup_freeze import BackupFreeze
from prunella.evaluation.fault.base import Fault
from prunella.evaluation.fault.batch_job import BatchJob
from prunella.evaluation.fault.bus_frozen import BusFrozen
from prunella.evaluation.fault.clock_correction import ClockCorrection
from prunella.evaluation.fault.compaction import Compaction
from prunella.evaluation.fault.cpu_hog import CpuHog
from prunella.evaluation.fault.cpu_hog_plain import CpuHogPlain
from prunella.evaluation.fault.cpu_throttled import CpuThrottled
from prunella.evaluation.fault.crash_loop import CrashLoop
from prunella.evaluation.fault.descriptors_exhausted import DescriptorsExhausted
from prunella.evaluation.fault.disk_hog import DiskHog
from prunella.evaluation.fault.engine_crash import EngineCrash
from prunella.evaluation.fault.engine_frozen import EngineFrozen
from prunella.evaluation.fault.feed_duplicates import FeedDuplicates
from prunella.evaluation.fault.feed_frozen import FeedFrozen
from prunella.evaluation.fault.feed_gaps import FeedGaps
from prunella.evaluation.fault.fills_lost import FillsLost
from prunella.evaluation.fault.hostile_name import HostileName
from prunella.evaluation.fault.market_burst import MarketBurst
from prunella.evaluation.fault.market_lull import MarketLull
from prunella.evaluation.fault.monitor_frozen import MonitorFrozen
from prunella.evaluation.fault.operator_drain import OperatorDrain
from prunella.evaluation.fault.order_latency import OrderLatency
from prunella.evaluation.fault.order_path_overload import OrderPathOverload
from prunella.evaluation.fault.order_path_throttled import OrderPathThrottled
from prunella.evaluation.fault.orders_lost import OrdersLost
from prunella.evaluation.fault.orders_unanswered import OrdersUnanswered
from prunella.evaluation.fault.path_cut import PathCut
from prunella.evaluation.fault.path_delay import PathDelay
from prunella.evaluation.fault.path_jitter import PathJitter
from prunella.evaluation.fault.path_loss import PathLoss
from prunella.evaluation.fault.path_one_way import PathOneWay
from prunella.evaluation.fault.path_resets import PathResets
from prunella.evaluation.fault.path_throttled import PathThrottled
from prunella.evaluation.fault.plane_killed import PlaneKilled
from prunella.evaluation.fault.planned_restart import PlannedRestart
from prunella.evaluation.fault.reject_storm import RejectStorm
from prunella.evaluation.fault.venue_clock import VenueClock
from prunella.evaluation.fault.venue_crash import VenueCrash
from prunella.evaluation.fault.venue_flapping import VenueFlapping
from prunella.evaluation.fault.venue_freeze import VenueFreeze
from prunella.evaluation.fault.venue_refuses import VenueRefuses
from prunella.evaluation.fault.watch_frozen import WatchFrozen

FAULTS: dict[str, Fault] = {
    fault.name: fault
    for fault in (
        EngineCrash(),
        EngineFrozen(),
        CrashLoop(),
        PlaneKilled(),
        AgentCrash(),
        AgentFrozen(),
        MonitorFrozen(),
        CpuHog(),
        CpuHogPlain(),
        CpuThrottled(),
        VenueFreeze(),
        VenueCrash(),
        VenueRefuses(),
        VenueFlapping(),
        FeedFrozen(),
        BackupFreeze(),
        PathCut(),
        PathOneWay(),
        PathDelay(),
        PathJitter(),
        PathLoss(),
        PathThrottled(),
        PathResets(),
        DiskHog(),
        DescriptorsExhausted(),
        FeedGaps(),
        FillsLost(),
        RejectStorm(),
        OrderPathOverload(),
        OrderPathThrottled(),
        OrderLatency(),
        OrdersUnanswered(),
        OrdersLost(),
        VenueClock(),
        WatchFrozen(),
        BusFrozen(),
        MarketBurst(),
        MarketLull(),
        PlannedRestart(),
        OperatorDrain(),
        BatchJob(),
        Compaction(),
        ClockCorrection(),
        FeedDuplicates(),
        HostileName(),
    )
}
