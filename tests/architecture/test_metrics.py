"""The table of metrics against those who write them and those who look at them."""

import re
from pathlib import Path

import pytest
from metric_labels import unlisted_labels
from prunella.healing.diagnose import AGENTS
from prunella.telemetry import Reading
from prunella.telemetry.catalogue import METRICS, domain_of
from prunella.telemetry.host import HostCollector
from prunella.telemetry.processes import Components, ProcessCollector

PACKAGE = Path(__file__).parents[2] / "python" / "prunella"
WRITERS = {
    "trading/runtime/pages.py": re.compile(
        r"f['\"]([a-z_]+)(?:\{\{| \{)|^        \"((?:[a-z]+_)+[a-z]+)\": (?!\")", re.MULTILINE
    ),
    "exchange/operations.py": re.compile(r"# TYPE ([a-z_]+)"),
    "telemetry/processes.py": re.compile(r"emit\(\s*\"([a-z_]+)\""),
    "telemetry/resources.py": re.compile(r"emit\(\s*\"([a-z_]+)\""),
    "telemetry/scrape.py": re.compile(r"reading\(\"([a-z_]+)\""),
}
DERIVED = {"heartbeat_age_seconds", "telemetry_age_seconds"}
"""An agent makes these itself, from what it hears and when."""


@pytest.mark.parametrize("path", WRITERS)
def test_metric_that_is_written_is_in_the_table(path: str) -> None:
    """Nothing that our processes say is dropped for want of a row."""
    text = (PACKAGE / path).read_text(encoding="utf-8")
    found = WRITERS[path].findall(text[max(text.find("def metrics_page"), 0) :])
    names = {name for groups in found for name in ([groups] if isinstance(groups, str) else groups)}
    names.discard("")
    assert len(names) >= 3
    assert {name for name in names if domain_of(name) is None} == set()


def test_agent_looks_only_at_metrics_of_its_domain() -> None:
    """A metric that an agent watches is one that the bus brings to it."""
    for name, spec in AGENTS.items():
        for watch in spec.watches:
            if watch.metric not in DERIVED:
                read = watch.metric.removesuffix("_mean")
                read = read if read in spec.means else watch.metric
                assert domain_of(read) == spec.domain, f"{name}: {watch.metric}"


def test_each_metric_says_what_it_is() -> None:
    """Each row has a unit and a meaning for people."""
    assert all(row.unit and row.help for row in METRICS.values())


def test_collected_readings_carry_the_labels_of_the_table(tmp_path: Path) -> None:
    """What is read of this very host and its processes is labelled as the reference says."""

    def emit(metric: str, entity: str, value: float, **labels: str) -> Reading:
        return Reading(
            metric=metric, entity=entity, value=value, labels=labels, ts_event_ns=1, ts_init_ns=1
        )

    processes = ProcessCollector(Components((), tmp_path / "none"))
    readings = [*HostCollector().collect(emit, 1, 1), *processes.collect(emit, 1)]
    assert {each.metric for each in readings if domain_of(each.metric) is None} == set()
    assert {each.metric: found for each in readings if (found := unlisted_labels(each))} == {}
