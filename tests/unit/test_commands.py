"""The commands, walked as a tree: each teaches with an example, and speaks JSON to scripts."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from modelkeep.cli.commands import app

# They run until they are stopped, or write a format of their own.
WITHOUT_JSON = {"serve", "work", "witness serve", "audit export"}


def walk(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    for name, below in sorted(getattr(command, "commands", {}).items()):
        yield from walk(below, (*words, name))
    if not hasattr(command, "commands"):
        yield " ".join(words), command


COMMANDS = dict(walk(typer.main.get_command(app), ()))


def examples(help_text: str) -> list[str]:
    """The command lines among a help's lines, without what a shell or a reader makes of them."""
    joined = re.sub(r"\\\n\s*", " ", help_text)
    lines = (line.strip() for line in joined.splitlines())
    bare = (re.sub(r"^([A-Z_]+=\S+ )+", "", line) for line in lines)
    return [re.split(r"   +| \| | < ", line)[0] for line in bare if line.startswith("modelkeep ")]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_a_sentence_and_an_example_that_can_be_typed(name: str) -> None:
    command = COMMANDS[name]
    assert len(command.get_short_help_str(200)) > 10
    shown = [line for line in examples(command.help) if line.startswith(f"modelkeep {name}")]
    assert shown, f"`{name}` has no example"
    for line in shown:
        arguments = shlex.split(line.removeprefix(f"modelkeep {name}"))
        command.make_context(name, arguments)  # raises for a wrong command line


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - WITHOUT_JSON))
def test_a_command_takes_json_and_says_what_comes(name: str) -> None:
    command = COMMANDS[name]
    assert any("--json" in option.opts for option in command.params)
    assert re.search(r'JSON: (\[?\{"\w+"|the version)', " ".join(command.help.split()))


def test_those_without_json_are_commands() -> None:
    assert COMMANDS.keys() >= WITHOUT_JSON
    for name in WITHOUT_JSON:
        assert not any("--json" in option.opts for option in COMMANDS[name].params)
