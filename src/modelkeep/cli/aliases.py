"""The commands that point aliases at versions, and take them away."""

from typing import Annotated
from urllib.parse import quote

import typer

from modelkeep.cli.client import Client
from modelkeep.cli.options import DEFAULT_URL, Json, ModelName, Url, User, Which, address
from modelkeep.cli.telling import settle

alias_app = typer.Typer(no_args_is_help=True, help="Point aliases at versions, or take them away.")

Alias = Annotated[str, typer.Argument(metavar="ALIAS", help="champion, challenger, …")]
Epoch = Annotated[
    int | None,
    typer.Option("--epoch", min=0, help="Only if the alias is still at it: see `at --json`."),
]


@alias_app.command("set")
def set_alias(
    version: Which,
    alias: Alias,
    epoch: Epoch = None,
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """Point an alias at a version. One that follows a stage is a promotion into that stage.

    \b
    modelkeep alias set churn/3 challenger
    modelkeep alias set churn@challenger shadow --epoch 4

    Exits 1 if it is refused, 2 if it waits for an approval. JSON: {"result", "target", "epoch",
    "message", "request", "decision", "version"}.
    """
    client = Client(url, user)
    found = client.get(address(version))
    body = {"version": found["version"]} | ({} if epoch is None else {"epoch": epoch})
    settle(client.put(_address(found["model"], alias), body), as_json)


@alias_app.command("delete")
def delete_alias(
    model: ModelName,
    alias: Alias,
    epoch: Epoch = None,
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """Take an alias away. One that follows a stage stays until its version leaves that.

    \b
    modelkeep alias delete churn challenger

    JSON: {"result", "target", "epoch", "message", "request", "decision", "version"}.
    """
    settle(Client(url, user).delete(_address(model, alias), epoch=epoch), as_json)


def _address(model: str, alias: str) -> str:
    return f"/models/{quote(model, safe='')}/aliases/{quote(alias, safe='')}"
