"""The schemas in; the Python modules that read and write them out (`make proto`).

`released.binpb` is what older programs were built with: a schema may add to it and never change it.
"""

import sys
from pathlib import Path

from grpc_tools import protoc  # type: ignore[import-untyped]

HERE = Path(__file__).parent
PYTHON = HERE.parent / "python"
RELEASED = HERE / "released.binpb"


def schemas() -> list[str]:
    """Every schema, by its path below this folder."""
    return sorted(str(path.relative_to(HERE)) for path in HERE.rglob("*.proto"))


def generate(into: Path) -> None:
    """Writes the modules below `into`.

    Raises:
        SystemExit: A schema is wrong; protoc has said where.
    """
    _run(f"--python_out={into}", f"--pyi_out={into}")


def describe(into: Path) -> None:
    """Writes the descriptors of all schemas to a file."""
    _run(f"--descriptor_set_out={into}")


def _run(*outputs: str) -> None:
    if protoc.main(["protoc", f"-I{HERE}", *outputs, *schemas()]) != 0:
        raise SystemExit(1)


if __name__ == "__main__":
    generate(PYTHON)
    if "--release" in sys.argv:
        describe(RELEASED)
