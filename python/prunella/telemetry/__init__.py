"""What a stack says of itself: readings with a unit and two times, and who collects them."""

from prunella.telemetry.reading import DOMAINS, Domain, Reading, Readings

__all__ = ["DOMAINS", "Domain", "Reading", "Readings"]
