"""Recordings in; models that are trained, checked, registered and promoted out.

The figures come from the core, which also runs the model: what is trained is what is traded.
Training needs the extra `models`; running a promoted model does not. Only the registry is imported
here: the engine reads it at its start, which must not wait for what trains.
"""

from prunella.trading.model.registry import Manifest, Parity, Promotion, Registry
from prunella.trading.model.runtime import runtime_library

__all__ = ["Manifest", "Parity", "Promotion", "Registry", "runtime_library"]
