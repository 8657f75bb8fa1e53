"""The options that many commands have."""

from pathlib import Path
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


def _model_name(given: str) -> str:
    name = given.removeprefix("models:/")
    if "/" in name:
        raise typer.BadParameter(
            f"'{given}' is not a model's name, which has no '/': write {name.partition('/')[0]}."
        )
    return name


ModelName = Annotated[
    str, typer.Argument(metavar="MODEL", help="As in churn.", callback=_model_name)
]


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


# -- of commands that look at the data themselves, beside a server or without one ------------------

DataDir = Annotated[Path | None, typer.Option(help="As of `serve`. [./modelkeep-data]")]
DatabaseUrl = Annotated[
    str | None, typer.Option(help="As of `serve`; without it, SQLite in the data directory.")
]
Config = Annotated[Path | None, typer.Option(help="As of `serve`: a TOML file of settings.")]
Artifacts = Annotated[
    str | None, typer.Option(help="As of `serve`: s3://bucket/prefix, where it keeps large files.")
]
S3Endpoint = Annotated[str | None, typer.Option("--s3-endpoint-url", help="As of `serve`.")]
