"""Lets processes that are not ours speak control: supervisord and the host."""

from prunella.bridge.deeds import Deeds
from prunella.bridge.host import HostTarget
from prunella.bridge.supervisor import ProcessState, Program, Supervisor
from prunella.bridge.supervisord import SupervisordTarget

__all__ = ["Deeds", "HostTarget", "ProcessState", "Program", "Supervisor", "SupervisordTarget"]
