"""`path/to/file.py:ClassName` and parameters in; a strategy out, or what is wrong and where."""

import importlib.util
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from prunella.errors import ConfigError
from prunella.trading.strategy.user import Strategy


def load_strategy(place: str, parameters: Mapping[str, Any] | None = None) -> Strategy:
    """Imports the file and makes the strategy.

    Args:
        place: `path/to/file.py:ClassName`.
        parameters: By name; texts are read as what the class declares.

    Raises:
        ConfigError: No such file or class, an error in the file (with its line), or a parameter
            that does not fit; trying again cannot help.
    """
    path, colon, name = place.rpartition(":")
    if not colon or not path.endswith(".py") or not name.isidentifier():
        raise ConfigError(f"strategy: expected path/to/file.py:ClassName, found {place!r}")
    file = Path(path)
    if not file.is_file():
        raise ConfigError(f"strategy: {path}: expected a Python file, found nothing")
    module_name = f"prunella_strategy_{file.stem}"
    spec = importlib.util.spec_from_file_location(module_name, file)
    if spec is None or spec.loader is None:
        raise ConfigError(f"strategy: {path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # noqa: BLE001  whatever a user's file raises is told to him
        raise ConfigError(f"strategy: {place_of(error, path)}") from None
    found = getattr(module, name, None)
    if not (isinstance(found, type) and issubclass(found, Strategy)):
        raise ConfigError(f"strategy: {path}: expected a subclass of Strategy called {name}")
    try:
        settings = msgspec.convert(dict(parameters or {}), found.Parameters, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(f"strategy: {name}: {error}") from None
    return found(settings)


def place_of(error: BaseException, path: str) -> str:
    """An exception with the file and line of the user's own code that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).resolve() == Path(path).resolve()]
    if isinstance(error, SyntaxError):
        return f"{path}:{error.lineno}: {error.msg}"
    line = own[-1].lineno if own else 0
    return f"{path}:{line}: {type(error).__name__}: {error}"
