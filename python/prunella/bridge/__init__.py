"""Lets processes that are not ours speak control: supervisord, the host, its network, storage."""

from prunella.bridge.deeds import Deeds
from prunella.bridge.host import HostTarget
from prunella.bridge.network import NetworkPath, NetworkTarget
from prunella.bridge.storage import StorageTarget
from prunella.bridge.supervisor import ProcessState, Program, Supervisor
from prunella.bridge.supervisord import SupervisordTarget

__all__ = [
    "Deeds",
    "HostTarget",
    "NetworkPath",
    "NetworkTarget",
    "ProcessState",
    "Program",
    "StorageTarget",
    "Supervisor",
    "SupervisordTarget",
]
