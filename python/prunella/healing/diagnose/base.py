"""`AgentSpec`: what makes one domain agent: its domain and what it looks at."""

from prunella.healing.incident import Watch
from prunella.healing.incident.records import Record
from prunella.telemetry import Domain


class AgentSpec(Record, frozen=True, kw_only=True):
    """One domain agent.

    Attributes:
        domain: The domain whose readings it sees; its knowledge is the file of that name.
        watches: Which detectors look at which metrics.
        means: Histograms whose recent mean is a reading of its own, `METRIC_mean`.
        hears_heartbeats: Whether it also listens to the other services' heartbeats.
    """

    domain: Domain
    watches: tuple[Watch, ...]
    hears_heartbeats: bool = False
    means: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its component name, such as `agent-cpu`."""
        return f"agent-{self.domain}"
