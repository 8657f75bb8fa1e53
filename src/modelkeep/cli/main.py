"""The command's entry point.

Exit codes: 0 done; 1 refused, or an error that the server explained; 2 waiting for an approval
(`audit verify`: tampered with); 3 the server could not be reached; 64 wrong usage.
"""

import sys

from modelkeep import __version__

USAGE = 64


def main() -> None:
    """Runs the command and exits."""
    if sys.argv[1:] in (["--version"], ["version"]):  # without importing a thing
        print(f"modelkeep {__version__}")
        return
    import typer

    from modelkeep.cli.commands import app

    # 2 means "waits for an approval" here; a wrong command line has sysexits' own code. Every
    # usage error is a sibling of BadParameter, whose parent holds the code.
    typer.BadParameter.__mro__[1].exit_code = USAGE
    app(prog_name="modelkeep")
