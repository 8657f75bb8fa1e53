"""The options that many commands have."""

from typing import Annotated
from urllib.parse import quote

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

_WHICH = "churn/3, churn/1.4.0, churn/~1.4, churn@champion, churn/Production or churn/latest."
Which = Annotated[str, typer.Argument(metavar="MODEL/VERSION", help=_WHICH)]


def split(version: str) -> tuple[str, str]:
    """The model and which version: of `churn/3`, `churn@champion`, `models:/churn/latest`."""
    text = version.removeprefix("models:/")
    model, slash, which = text.rpartition("/")
    if not slash:
        model, at, alias = text.rpartition("@")
        which = at + alias
    if not model or which in ("", "@"):
        raise typer.BadParameter(f"'{version}' is not MODEL/VERSION; write it as {_WHICH}")
    return model, which


def address(version: str) -> str:
    """The API's path of a version."""
    model, which = split(version)
    return f"/models/{quote(model, safe='')}/versions/{quote(which, safe='')}"
