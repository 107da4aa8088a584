"""The scenarios by name: a plain table."""

from prunella.evaluation.scenario.base import Scenario

SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            name="demo",
            title="four faults and two negatives, one after the other, in about 90 seconds",
            faults=(
                "engine-crash",
                "venue-freeze",
                "market-burst",
                "cpu-hog",
                "order-path-overload",
                "planned-restart",
            ),
            warm_up_s=10.0,
            stretch_s=5.0,
            budget_s=30.0,
        ),
    )
}
