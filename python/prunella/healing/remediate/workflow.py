"""Workflow files in, checked `Workflow` records out; what cannot be right is refused at load.

A workflow is data: which faults it cures, what must hold before, steps with their inverses, what
proves that the goal is reached, how many components it touches. A file names commands out of a
closed table; there is no way to write one that does anything else.
"""

import hashlib
import re
from pathlib import Path
from typing import Any, Literal

import msgspec

from prunella import control
from prunella.errors import ConfigError
from prunella.healing.remediate.parameters import Parameter
from prunella.healing.remediate.probe import Condition, Probe

COMMANDS: dict[str, type[msgspec.Struct]] = {
    "cancel_all": control.CancelAll,
    "drop_caches": control.DropCaches,
    "halt": control.Halt,
    "move_segments": control.MoveSegments,
    "pin": control.Pin,
    "place": control.Place,
    "promote_standby": control.PromoteStandby,
    "reduce": control.Reduce,
    "release_lease": control.ReleaseLease,
    "renice": control.Renice,
    "reset_connections": control.ResetConnections,
    "restart": control.Restart,
    "restore_settings": control.RestoreSettings,
    "resume": control.Resume,
    "set_order_rate": control.SetOrderRate,
    "shape_traffic": control.ShapeTraffic,
    "start": control.Start,
    "stop": control.Stop,
    "switch_path": control.SwitchPath,
    "switch_venue": control.SwitchVenue,
}
"""What a step may ask for."""

LOOSENING = frozenset({"resume"})
"""Commands that give trading more freedom than before; policy forbids workflows with one."""

Through = Literal["engine", "supervisor", "host", "network", "storage", "standby"]
"""Which target carries out a step."""

_PLACEHOLDER = re.compile(r"\$\{([a-z_.]+)\}")
_NAME = re.compile(r"[a-z][a-z0-9-]{1,63}")


class Inverse(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to undo a step; its arguments may use `${replaced.…}` of the step's own reply."""

    action: str
    arguments: dict[str, str | int | bool] = msgspec.field(default_factory=dict)


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One act.

    Attributes:
        action: A key of `COMMANDS`.
        through: Who carries it out.
        arguments: The command's fields; text may hold `${placeholders}`.
        inverse: How to undo it. A step without one says why in `final_because`.
        final_because: Why there is nothing to undo.
        already: Shows that an unanswered act did happen (asked before asking again).
        still: Shows that things are as this step left them. When they are not, somebody has
            changed them since, and the step is not undone.
    """

    action: str
    through: Through
    arguments: dict[str, str | int | bool] = msgspec.field(default_factory=dict)
    inverse: Inverse | None = None
    final_because: str = ""
    already: Condition | None = None
    still: Condition | None = None


class Afterwards(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The way back, once the cause is gone: the steps' inverses, then a probe that it held.

    Attributes:
        when: What must hold before going back; its timeout ends the waiting.
        verify: What must hold after going back, or the steps are done again.
    """

    when: Probe
    verify: Probe


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often a workflow may run, whatever for; beyond it a person is asked."""

    per_hour: int = 20
    per_day: int = 100


class Workflow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One remedy.

    Attributes:
        name: As proposals name it; the file's name.
        summary: One sentence for people.
        causes: Fault classes that it cures.
        order: `all`: every step, then verify. `until_verified`: a step, verify; the next step
            only if that failed.
        parameters: What has to be filled in, and from where.
        preconditions: What must hold before, by our own readings whatever the advice says.
        steps: At least one.
        verify: The goal.
        afterwards: The way back, if there is one.
        attempts_max: How often a silent target is asked (with the same key) before giving up.
        step_timeout_ns: How long one answer may take.
        blast_radius: Which components it may touch, for people.
        limits: How often it may run.
        runbook: The page for people.
    """

    name: str
    summary: str
    causes: tuple[str, ...]
    order: Literal["all", "until_verified"] = "all"
    parameters: dict[str, Parameter] = msgspec.field(default_factory=dict)
    preconditions: Probe | None = None
    steps: tuple[Step, ...]
    verify: Probe
    afterwards: Afterwards | None = None
    attempts_max: int = 5
    step_timeout_ns: int = 5_000_000_000
    blast_radius: tuple[str, ...]
    limits: Limits = msgspec.field(default_factory=Limits)
    runbook: str

    @property
    def loosens(self) -> bool:
        """Whether any step or inverse of it loosens trading."""
        used = {each.action for each in self.steps}
        used |= {each.inverse.action for each in self.steps if each.inverse}
        return bool(used & LOOSENING)

    @property
    def probes(self) -> tuple[Probe, ...]:
        """Every probe of it."""
        found = [self.verify]
        if self.preconditions:
            found.append(self.preconditions)
        if self.afterwards:
            found += [self.afterwards.when, self.afterwards.verify]
        shown = [each for step in self.steps for each in (step.already, step.still) if each]
        if shown:
            found.append(Probe(conditions=tuple(shown), timeout_ns=1))
        return tuple(found)

    @property
    def metrics(self) -> frozenset[str]:
        """Every metric that it asks about."""
        asked = {each.metric for probe in self.probes for each in probe.conditions}
        return frozenset(asked | {m for each in self.parameters.values() for m in each.metrics})

    @property
    def sha256(self) -> str:
        """Hash of its content, for the ledger."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()


def load_workflow(path: Path) -> Workflow:
    """The workflow in a TOML file.

    Raises:
        ConfigError: Names the file, the field, what was found and what was expected.
    """
    try:
        workflow = msgspec.toml.decode(path.read_bytes(), type=Workflow)
    except msgspec.DecodeError as error:
        raise ConfigError(f"{path.name}: {error}") from error
    _Checker(path.name, workflow).check(path.stem)
    return workflow


class _Checker:
    """Checks what types alone cannot; every complaint names file and field."""

    def __init__(self, file: str, workflow: Workflow) -> None:
        self._file = file
        self._workflow = workflow

    def check(self, stem: str) -> None:
        workflow = self._workflow
        if workflow.name != stem or not _NAME.fullmatch(workflow.name):
            self._refuse("name", f"{workflow.name!r} should be the file's name {stem!r}")
        for field in ("causes", "steps", "blast_radius"):
            if not getattr(workflow, field):
                self._refuse(field, "should name at least one")
        if not 1 <= workflow.attempts_max <= 20:
            self._refuse("attempts_max", f"{workflow.attempts_max} should be 1 to 20")
        if not 1 <= workflow.limits.per_hour <= workflow.limits.per_day:
            self._refuse("limits", "per_hour should be at least 1, and per_day not below it")
        for name, parameter in workflow.parameters.items():
            complaint = parameter.complaint()
            if complaint:
                self._refuse(f"parameters.{name}", complaint)
        for index, step in enumerate(workflow.steps):
            self._check_step(f"steps[{index}]", step)
        self._check_probes()

    def _check_probes(self) -> None:
        workflow = self._workflow
        self._check_probe("verify", workflow.verify)
        if workflow.preconditions:
            self._check_probe("preconditions", workflow.preconditions)
        if workflow.afterwards:
            self._check_probe("afterwards.when", workflow.afterwards.when)
            self._check_probe("afterwards.verify", workflow.afterwards.verify)
            if any(each.inverse is None for each in workflow.steps):
                self._refuse("afterwards", "every step needs an inverse to go back by")

    def _check_step(self, field: str, step: Step) -> None:
        self._check_command(field, step.action, step.arguments, replaced=False)
        if step.inverse is None:
            if not step.final_because:
                self._refuse(field, "should have an inverse, or say in final_because why not")
        else:
            self._check_command(
                f"{field}.inverse", step.inverse.action, step.inverse.arguments, replaced=True
            )
        if step.already:
            self._check_condition(f"{field}.already", step.already)
        if step.still:
            self._check_condition(f"{field}.still", step.still)

    def _check_command(
        self,
        field: str,
        action: str,
        arguments: dict[str, str | int | bool],
        *,
        replaced: bool,
    ) -> None:
        kind = COMMANDS.get(action)
        if kind is None:
            self._refuse(f"{field}.action", f"{action!r} should be one of {', '.join(COMMANDS)}")
            return
        fields = {each.name: each.required for each in msgspec.structs.fields(kind)}
        for name, value in arguments.items():
            if name not in fields:
                self._refuse(
                    f"{field}.arguments.{name}",
                    f"{action} has no such field; it has {', '.join(fields) or 'none'}",
                )
            self._check_placeholders(f"{field}.arguments.{name}", value, replaced=replaced)
        for name, required in fields.items():
            if required and name not in arguments:
                self._refuse(f"{field}.arguments", f"{action} needs {name!r}")

    def _check_probe(self, field: str, probe: Probe) -> None:
        if not probe.conditions:
            self._refuse(f"{field}.conditions", "should hold at least one")
        if probe.hold_ns < 0 or probe.timeout_ns <= probe.hold_ns:
            self._refuse(
                f"{field}.timeout_ns",
                f"{probe.timeout_ns} should be longer than hold_ns {probe.hold_ns}",
            )
        for index, condition in enumerate(probe.conditions):
            self._check_condition(f"{field}.conditions[{index}]", condition)

    def _check_condition(self, field: str, condition: Condition) -> None:
        if (condition.measure == "share") != (condition.of is not None):
            self._refuse(f"{field}.of", "is needed by measure 'share' and by no other")
        if condition.threshold == "baseline" and condition.measure in {"increase", "share"}:
            self._refuse(f"{field}.threshold", "'baseline' fits values, not counters")
        for value in (condition.entity, *condition.labels.values(), *(condition.of or {}).values()):
            self._check_placeholders(field, value, replaced=False)

    def _check_placeholders(self, field: str, value: object, *, replaced: bool) -> None:
        if not isinstance(value, str):
            return
        for name in _PLACEHOLDER.findall(value):
            if name in {"target", "incident"} or name in self._workflow.parameters:
                continue
            if replaced and name.startswith("replaced."):
                continue
            known = ", ".join(["target", "incident", *self._workflow.parameters])
            self._refuse(field, f"${{{name}}} is not known; known are {known}")

    def _refuse(self, field: str, complaint: str) -> None:
        raise ConfigError(f"{self._file}: {field}: {complaint}")


def fill(value: str, values: dict[str, str]) -> str:
    """`value` with its placeholders filled in.

    Raises:
        KeyError: A placeholder has no value (a reply that did not carry it, say).

    Example:
        >>> fill("exchange-${venue}", {"venue": "primary"})
        'exchange-primary'
    """
    return _PLACEHOLDER.sub(lambda match: values[match[1]], value)


def fill_condition(condition: Condition, values: dict[str, str]) -> Condition:
    """The condition with its placeholders filled in."""

    def labels(wanted: dict[str, str]) -> dict[str, str]:
        return {name: fill(value, values) for name, value in wanted.items()}

    return msgspec.structs.replace(
        condition,
        entity=fill(condition.entity, values),
        labels=labels(condition.labels),
        of=None if condition.of is None else labels(condition.of),
    )


def fill_probe(probe: Probe, values: dict[str, str]) -> Probe:
    """The probe with its placeholders filled in."""
    return msgspec.structs.replace(
        probe, conditions=tuple(fill_condition(each, values) for each in probe.conditions)
    )


def build_command(
    action: str, arguments: dict[str, str | int | bool], values: dict[str, str]
) -> dict[str, Any]:
    """A command as plain data with its placeholders filled in, ready for `decode_command`.

    Raises:
        KeyError: A placeholder has no value.
        ConfigError: A value does not fit its field.
    """
    plain = {
        name: fill(value, values) if isinstance(value, str) else value
        for name, value in arguments.items()
    }
    kind = COMMANDS[action]
    cpus = plain.get("cpus")
    if isinstance(cpus, str):
        plain["cpus"] = [each for each in cpus.split(",") if each]  # type: ignore[assignment]
    try:
        command = msgspec.convert(plain, kind, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{action}: {error}") from error
    built: dict[str, Any] = msgspec.to_builtins(command)
    return built


def decode_command(plain: dict[str, Any]) -> control.Command:
    """The command of which `plain` is the data, as the ledger holds it."""
    command: control.Command = msgspec.convert(plain, control.Command)
    return command
