"""Commands that the documents tell a reader to type, against the commands that there are."""

import re
import shlex
from pathlib import Path

import pytest
from prunella.cli.app import app
from typer.main import get_command

ROOT = Path(__file__).parents[2]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")])
TARGETS = set(
    re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
)


def _lines(page: Path) -> list[str]:
    """Command lines in fenced blocks and in code within sentences."""
    text = page.read_text(encoding="utf-8")
    fenced = "\n".join(re.findall(r"```[a-z]*\n(.*?)```", text, re.DOTALL))
    inline = re.findall(
        r"`((?:prunella|make) [^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    )
    lines = [
        line.split(" #")[0].strip().removeprefix(".venv/bin/")
        for line in [*fenced.split("\n"), *inline]
    ]
    return [line for line in lines if re.match(r"(prunella|make) [a-z]", line)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_command_of_a_page_exists_with_its_options(page: Path) -> None:
    """What a newcomer copies is taken by the command line; nothing is run here."""
    root = get_command(app)
    for line in _lines(page):
        if line.startswith("make "):
            assert line.split()[1] in TARGETS, line
            continue
        for alternative in _alternatives(line):
            name, *words = shlex.split(alternative)
            command = root
            while words and hasattr(command, "commands") and not words[0].startswith("-"):
                name = words.pop(0)
                if name not in command.commands and hasattr(command, "default"):
                    words.insert(0, name)  # an argument of the command that may be left out
                    name = command.default
                assert name in command.commands, line
                command = command.commands[name]
            if words:
                command.make_context(name, words, resilient_parsing=False)


def _alternatives(line: str) -> list[str]:
    """`prunella up | status` tells of two commands, and `[ID]` of an argument that may be left."""
    program, _, rest = re.sub(r"\[.*?\]", "", line).partition(" ")
    return [f"{program} {each.strip()}" for each in rest.split("|")]
