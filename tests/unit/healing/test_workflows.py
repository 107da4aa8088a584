"""Workflow files: the real ones load, and each kind of mistake is named with file and field."""

from pathlib import Path

import pytest
from prunella.errors import ConfigError
from prunella.healing.remediate import Workflow, load_catalogue, load_workflow
from prunella.healing.remediate.catalogue import FOLDER, NAMES

REPOSITORY = Path(__file__).parents[3]
GOOD = (FOLDER / "reroute-to-backup-venue.toml").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_shipped_workflow_has_its_runbook_and_inverses(name: str) -> None:
    """Each says how it is undone, what proves it, and where people read on."""
    workflow = load_catalogue()[name]
    assert not workflow.loosens
    assert (REPOSITORY / workflow.runbook).is_file()
    assert all(each.inverse or each.final_because for each in workflow.steps)
    assert workflow.verify.hold_ns >= 1_000_000_000


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('action = "switch_venue"', 'action = "rm"', r"steps\[0\].action: 'rm' should be one of"),
        ('{ venue = "${backup}" }\ninv', '{ venu = "${backup}" }\ninv', "no such field"),
        ('{ venue = "${backup}" }\ninv', "{ }\ninv", "switch_venue needs 'venue'"),
        ('arguments = { venue = "${venue}" }', 'arguments = { venue = "${x}" }', "not known"),
        ('through = "engine"', 'through = "shell"', "Invalid enum value 'shell'"),
        ("[[steps]]", "[[stepz]]", "unknown field `stepz`"),
        ('comparison = ">"', 'comparison = "~"', "Invalid enum value '~'"),
        ("timeout_ns = 10_000_000_000", "timeout_ns = 1", "should be longer than hold_ns"),
        ('source = "venue"', 'source = "label"', "needs a metric"),
        ('causes = ["venue.silent", "venue.down"]', "causes = []", "causes: should name at least"),
        ('name = "reroute-to-backup-venue"', 'name = "other"', "should be the file's name"),
        ("hold_ns = 5_000_000_000", 'hold_ns = "five"', r"Expected `int`, got `str`"),
    ],
)
def test_mistake_in_a_file_is_named(tmp_path: Path, before: str, after: str, words: str) -> None:
    """The message names the file and the field."""
    assert before in GOOD
    path = tmp_path / "reroute-to-backup-venue.toml"
    path.write_text(GOOD.replace(before, after, 1))
    with pytest.raises(ConfigError, match=words) as caught:
        load_workflow(path)
    assert str(caught.value).startswith("reroute-to-backup-venue.toml: ")


def test_step_without_inverse_must_say_why(tmp_path: Path) -> None:
    """Not being undoable is a decision, not an oversight."""
    text = (FOLDER / "restart-with-warm-up.toml").read_text()
    path = tmp_path / "restart-with-warm-up.toml"
    path.write_text("\n".join(each for each in text.split("\n") if "final_because" not in each))
    with pytest.raises(ConfigError, match="final_because"):
        load_workflow(path)


def test_loosening_workflow_says_so(tmp_path: Path) -> None:
    """Policy is told of a workflow that resumes trading."""
    text = GOOD.replace('action = "switch_venue"\n', 'action = "resume"\n').replace(
        'arguments = { venue = "${backup}" }\ninverse', "inverse"
    )
    path = tmp_path / "reroute-to-backup-venue.toml"
    path.write_text(text)
    workflow: Workflow = load_workflow(path)
    assert workflow.loosens


def test_stray_file_is_refused(tmp_path: Path) -> None:
    """A file that nobody listed is not run, and not ignored either."""
    for name in NAMES:
        (tmp_path / f"{name}.toml").write_text((FOLDER / f"{name}.toml").read_text())
    (tmp_path / "extra.toml").write_text("")
    with pytest.raises(ConfigError, match="extra"):
        load_catalogue(tmp_path)
