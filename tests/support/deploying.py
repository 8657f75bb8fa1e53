"""What checks the files of deploy/: the programs that do, and what the files say of modelkeep."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import typer.main

from modelkeep import settings
from modelkeep.cli.commands import app
from modelkeep.supervisor import STOP_LIMIT_S

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
ENVIRONMENT = ROOT / ".envs" / "deploy" / "bin"


def program(name: str) -> Path:
    """A program of the machine, or of the environment that `make test` installs; else a skip."""
    places = os.pathsep.join((os.environ["PATH"], "/usr/sbin", str(ENVIRONMENT)))
    found = shutil.which(name, path=places)
    if found is None:
        pytest.skip(f"{name} is not installed; `make test` installs it")
    return Path(found)


def ran(*command: str | Path, **others: Any) -> str:
    """What a program printed, on both streams. Raises AssertionError unless it ended with 0."""
    code, said = outcome(*command, **others)
    assert code == 0, f"{command[0]} ended with {code}:\n{said}"
    return said


def outcome(*command: str | Path, given: str = "", **others: Any) -> tuple[int, str]:
    """The exit code and what was printed, on both streams, by a program that was given a text."""
    ended = subprocess.run(
        command,
        check=False,
        input=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        **others,
    )
    return ended.returncode, ended.stdout


def check_command(words: Sequence[str]) -> None:
    """Raises typer's error unless these words, after `modelkeep`, are a command line of it."""
    command: Any = typer.main.get_command(app)
    context = command.make_context("modelkeep", list(words))
    while context.args or context._protected_args:
        name, command, rest = command.resolve_command(
            context, [*context._protected_args, *context.args]
        )
        context = command.make_context(name, rest, parent=context)


def check_environment(environment: Mapping[str, str]) -> settings.Settings:
    """What the variables amount to. Raises InvalidInput, or AssertionError for an unknown one."""
    assert settings.unknown_names(environment) == []
    return settings.read({}, environment)


def longest_stop_s(given: settings.Settings) -> float:
    """How long a process may take from SIGTERM to its end."""
    return given.drain_s + given.grace_s + STOP_LIMIT_S
