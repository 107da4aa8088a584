"""The stages' messages as the core writes them, held against their schema."""

import re
from pathlib import Path

import pytest
from google.protobuf.descriptor import FieldDescriptor
from prunella.trading.runtime import stage_pb2

SOURCE = Path(__file__).parents[2] / "crates/feed/src/stage/message.rs"
KINDS = {
    "uint64": FieldDescriptor.TYPE_UINT64,
    "uint32": FieldDescriptor.TYPE_UINT32,
    "int64": FieldDescriptor.TYPE_INT64,
    "string": FieldDescriptor.TYPE_STRING,
    "bytes": FieldDescriptor.TYPE_BYTES,
    "message": FieldDescriptor.TYPE_MESSAGE,
}
OTHERWISE_NAMED = {"Order": "StageOrder"}
STRUCT = re.compile(r"pub struct (\w+) \{(.*?)\n\}", re.DOTALL)
FIELD = re.compile(r'#\[prost\((\w+)(?: = "vec")?(, repeated)?, tag = "(\d+)"\)\]\s+pub (\w+):')


def structs() -> dict[str, str]:
    """The body of each message's struct, by the message's name."""
    found = STRUCT.findall(SOURCE.read_text(encoding="utf-8"))
    return {OTHERWISE_NAMED.get(name, name): body for name, body in found}


@pytest.mark.parametrize("message", stage_pb2.DESCRIPTOR.message_types_by_name)
def test_struct_of_the_core_is_the_message_of_the_schema(message: str) -> None:
    """Same fields, numbers and types, field by field."""
    fields = stage_pb2.DESCRIPTOR.message_types_by_name[message].fields
    schema = {(f.number, f.name, f.type, f.is_repeated) for f in fields}
    written = FIELD.findall(structs()[message])
    core = {(int(tag), name, KINDS[kind], bool(many)) for kind, many, tag, name in written}
    assert core == schema
