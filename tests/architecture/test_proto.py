"""The schemas: their Python modules are current, and nothing that was released has changed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import schemas
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorSet


def described(data: bytes) -> dict[str, DescriptorProto]:
    """Every message of a descriptor set, by its full name."""
    found: dict[str, DescriptorProto] = {}

    def add(package: str, message: DescriptorProto) -> None:
        name = f"{package}.{message.name}"
        found[name] = message
        for inner in message.nested_type:
            add(name, inner)

    for file in FileDescriptorSet.FromString(data).file:
        for message in file.message_type:
            add(file.package, message)
    return found


def breaks(before: bytes, now: bytes) -> Iterator[str]:
    """What a program built with `before` would misread."""
    current = described(now)
    for name, message in described(before).items():
        if name not in current:
            yield f"{name} is gone"
            continue
        fields = {field.number: field for field in current[name].field}
        for field in message.field:
            kept = fields.get(field.number)
            if kept is None:
                yield f"{name}.{field.name} (number {field.number}) is gone"
            elif (kept.name, kept.type, kept.label, kept.type_name) != (
                field.name,
                field.type,
                field.label,
                field.type_name,
            ):
                yield f"{name}.{field.name} (number {field.number}) has become {kept.name}"


def current(tmp_path: Path) -> bytes:
    """The descriptors of the schemas as they are."""
    schemas.describe(tmp_path / "now")
    return (tmp_path / "now").read_bytes()


@pytest.mark.parametrize("schema", schemas.schemas())
def test_generated_module_is_what_its_schema_says(schema: str, tmp_path: Path) -> None:
    """A module that is stale would lack a field; `make proto` writes it anew."""
    schemas.generate(tmp_path)
    for suffix in ("_pb2.py", "_pb2.pyi"):
        name = schema.removesuffix(".proto") + suffix
        fresh, kept = tmp_path / name, schemas.PYTHON / name
        assert kept.read_text() == fresh.read_text(), f"{name} is stale: run `make proto`"


def test_nothing_released_has_changed(tmp_path: Path) -> None:
    """Fields are added, never removed, renamed, renumbered or given another type."""
    assert list(breaks(schemas.RELEASED.read_bytes(), current(tmp_path))) == []


def test_each_kind_of_break_is_seen(tmp_path: Path) -> None:
    """The check itself: a removed, a renamed and a retyped field, and a removed message."""
    files = FileDescriptorSet.FromString(current(tmp_path))
    by_name = {m.name: m for file in files.file for m in file.message_type}
    del by_name["Halt"].field[0]
    by_name["Kill"].name = "Murder"
    by_name["Order"].field[0].name = "identifier"
    by_name["Order"].field[5].type = by_name["Order"].field[0].type
    found = list(breaks(schemas.RELEASED.read_bytes(), files.SerializeToString()))
    assert sorted(found) == [
        "prunella.control.Halt.venue (number 1) is gone",
        "prunella.control.Kill is gone",
        "prunella.monitor.Order.id (number 1) has become identifier",
        "prunella.monitor.Order.price (number 6) has become price",
    ]
