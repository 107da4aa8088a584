"""The shelf of agents: component name in, what it looks at out; a plain table."""

from prunella.healing.diagnose import cpu, execution, http, io, network
from prunella.healing.diagnose.base import AgentSpec

AGENTS: dict[str, AgentSpec] = {
    each.name: each for each in (cpu.AGENT, network.AGENT, io.AGENT, execution.AGENT, http.AGENT)
}
