"""The house rules that a linter cannot express, checked over the source text."""

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "python" / "prunella"
SOURCES = sorted(p for p in PACKAGE.rglob("*.py") if not p.name.endswith("_pb2.py"))
CRATES = sorted((ROOT / "crates").rglob("src/**/*.rs"))
FILE_LINES_MAX = 800
FUNCTION_LINES_MAX = 70
BANNED_STEMS = {"utils", "util", "helpers", "helper", "common", "core", "misc", "manager"}


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_python_file_says_what_it_is_and_stays_small(path: Path) -> None:
    """Each file opens with a docstring and fits in the head; each function fits on a screen."""
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "the first line says what goes in and what comes out"
    assert text.count("\n") <= FILE_LINES_MAX
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= FUNCTION_LINES_MAX, f"{node.name} has {length} lines"


@pytest.mark.parametrize("path", CRATES, ids=_name)
def test_rust_file_opens_with_its_purpose_and_stays_small(path: Path) -> None:
    """Each Rust file opens with a `//!` header; code without its tests fits in the head."""
    text = path.read_text(encoding="utf-8")
    assert text.startswith("//!")
    assert text.split("#[cfg(test)]")[0].count("\n") <= FILE_LINES_MAX


def test_no_file_is_named_for_nothing_in_particular() -> None:
    """A shared word lives with the stage that owns it, not in a drawer."""
    drawers = [_name(p) for p in SOURCES if p.stem in BANNED_STEMS or p.parent.name in BANNED_STEMS]
    assert drawers == []


def test_each_compiled_name_has_one_home() -> None:
    """Exactly one Python file imports a given name of `prunella._core`, and documents it."""
    homes: dict[str, set[str]] = defaultdict(set)
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "prunella._core":
                for alias in node.names:
                    homes[alias.name].add(_name(path))
    shared = {name: sorted(files) for name, files in homes.items() if len(files) > 1}
    assert shared == {}


def test_money_never_meets_a_float_literal() -> None:
    """No float literal stands under `trading/` but in shells, which measure time, and in models."""
    offenders = []
    for path in (PACKAGE / "trading").rglob("*.py"):
        if {"runtime", "model", "venue"} & set(path.parts):
            continue
        offenders += [
            f"{_name(path)}:{node.lineno}"
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Constant) and isinstance(node.value, float)
        ]
    assert offenders == []


def test_only_one_crate_knows_python() -> None:
    """PyO3 is a dependency of `crates/python` alone."""
    knowing = [
        _name(p)
        for p in (ROOT / "crates").glob("*/Cargo.toml")
        if re.search(r"^pyo3\b", p.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert knowing == ["crates/python/Cargo.toml"]


def test_the_core_asks_nobody_for_time_or_chance() -> None:
    """The pure crates never read a clock, an environment or a random source."""
    ambient = re.compile(r"SystemTime|Instant::now|std::env|rand::|HashMap|HashSet|thread_rng")
    offenders = [
        f"{_name(path)}:{number}"
        for path in CRATES
        if path.parts[len(ROOT.parts) + 1] in {"values", "engine"}
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1)
        if ambient.search(line.split("//")[0])
    ]
    assert offenders == []
