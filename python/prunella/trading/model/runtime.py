"""Nothing in; where ONNX Runtime's C library lies, if its package is installed, out."""

from importlib.util import find_spec
from pathlib import Path


def runtime_library() -> Path | None:
    """The library of the package `onnxruntime`, found without importing it."""
    package = find_spec("onnxruntime")
    for folder in (package.submodule_search_locations or ()) if package else ():
        found = sorted(Path(folder, "capi").glob("libonnxruntime.so*"))
        if found:
            return found[0]
    return None
