"""The arms by name, in the order in which they are printed: a plain table."""

from prunella.evaluation.arm.base import Arm
from prunella.evaluation.arm.lottery import random_agent
from prunella.evaluation.arm.oracle import oracle_agent
from prunella.evaluation.arm.restart import restart_agent
from prunella.evaluation.arm.threshold import threshold_agent

ARMS: dict[str, Arm] = {
    arm.name: arm
    for arm in (
        Arm(name="nothing", title="watches and does nothing", acts=False),
        Arm(name="random", title="draws lots", agent=random_agent, naive=True),
        Arm(
            name="restart-everything",
            title="restarts whatever looks unwell",
            agent=restart_agent,
            naive=True,
        ),
        Arm(name="thresholds", title="fixed thresholds", agent=threshold_agent),
        Arm(name="oracle", title="knows the truth", agent=oracle_agent, informed=True),
        Arm(name="expert", title="what is delivered, without a model"),
        Arm(name="good-model", title="with a model that answers well", model=("good",)),
        Arm(
            name="broken-model",
            title="with a model that fails in every way",
            model=("truncated", "invalid", "broken-503", "empty", "busy-429", "invented-evidence"),
        ),
        Arm(
            name="hostile-model",
            title="with a model that wants the worst",
            model=("hostile", "wrong-target"),
        ),
    )
}
