"""The command's entry point.

Exit codes: 0 done; 1 refused, or an error that the server explained; 2 waiting for an approval
(or tampered with: `audit verify`, `artifacts download`); 3 the server could not be reached; 64
wrong usage.
"""

import io
import sys
from typing import Any

from modelkeep import __version__


def main() -> None:
    """Runs the command and exits."""
    if sys.argv[1:] in (["--version"], ["version"]):  # without importing a thing
        print(f"modelkeep {__version__}")
        return
    import typer

    from modelkeep.cli.client import USAGE, wants_json

    if sys.argv[1:2] in (["serve"], ["work"]):  # the others would take a tenth of the start
        from modelkeep.cli.serving import app
    else:
        from modelkeep.cli.commands import app

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name may have letters that it cannot show
            stream.reconfigure(errors="backslashreplace")
    # 2 means "waits for an approval" here; a wrong command line has sysexits' own code. Every
    # usage error is a sibling of BadParameter, whose parent holds the code.
    usage_error: Any = typer.BadParameter.__mro__[1]
    usage_error.exit_code = USAGE
    if wants_json():
        usage_error.show = _show_as_json
    app(prog_name="modelkeep")


def _show_as_json(error: Any, file: object = None) -> None:  # noqa: ARG001 - typer's signature
    from modelkeep.cli.client import say_error

    say_error(error.format_message(), "wrong_usage")
