"""The options that many commands have."""

from typing import Annotated

import typer

DEFAULT_URL = "http://127.0.0.1:5000"

Url = Annotated[
    str, typer.Option("--url", envvar="MODELKEEP_URL", help="The server.", show_default=True)
]
User = Annotated[
    str,
    typer.Option(
        "--user",
        envvar="MODELKEEP_USER",
        help="Who you are: a claim, for a server with --auth off.",
    ),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print JSON, for scripts; errors too, on standard error.")
]
