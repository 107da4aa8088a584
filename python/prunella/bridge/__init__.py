"""Lets processes that are not ours speak control: supervisord and the host."""

from prunella.bridge.host import HostTarget
from prunella.bridge.supervisor import ProcessState, Program, Supervisor
from prunella.bridge.supervisord import SupervisordTarget

__all__ = ["HostTarget", "ProcessState", "Program", "Supervisor", "SupervisordTarget"]
