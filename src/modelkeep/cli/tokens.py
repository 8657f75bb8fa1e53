"""The commands of tokens."""

import json
from typing import Annotated
from urllib.parse import quote

import typer

from modelkeep.cli.accounts import of, say
from modelkeep.cli.client import Client
from modelkeep.cli.options import DEFAULT_URL, Json, Url, User
from modelkeep.cli.telling import show_table

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Tokens: what programs, and MLflow's clients, come with.",
)

Account = Annotated[str, typer.Option("--of", help="Of this account; your own, if it is left out.")]


@app.command()
def create(
    label: Annotated[str, typer.Argument(help="What it is for.")] = "",
    account: Account = "",
    days: Annotated[int | None, typer.Option(help="Days until it expires. [90]")] = None,
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """Make a token, and print it: it is shown this once.

    \b
    modelkeep tokens create "my laptop"
    modelkeep tokens create nightly --of trainer --days 30 --json

    JSON: {"id", "kind", "label", "created", "expires", "token"}.
    """
    client = Client(url, user)
    path = f"{of(account or own(client))}/tokens"
    made = client.post(path, {"label": label, "days": days})
    print(json.dumps(made, indent=2) if as_json else made["token"])


@app.command("list")
def list_tokens(
    account: Account = "", url: Url = DEFAULT_URL, user: User = "", as_json: Json = False
) -> None:
    """List an account's tokens, without their secrets.

    \b
    modelkeep tokens list
    modelkeep tokens list --of trainer

    JSON: [{"id", "kind", "label", "created", "expires", "used"}]; "used" is missing of one that
    never was.
    """
    client = Client(url, user)
    found = client.get(f"{of(account or own(client))}/tokens")
    rows = [
        [t["id"], t["kind"], t["label"], t["created"], t["expires"], t.get("used", "")]
        for t in found
    ]
    head = ("id", "kind", "for", "created", "expires", "last used")
    show_table(head, rows, found, as_json, "No tokens.")


@app.command()
def revoke(
    id: Annotated[str, typer.Argument(metavar="ID", help="As `tokens list` shows it.")],
    account: Account = "",
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """Revoke a token, everywhere within a second.

    \b
    modelkeep tokens revoke 5f0c9d1e

    JSON: {"revoked"}.
    """
    client = Client(url, user)
    client.delete(f"{of(account or own(client))}/tokens/{quote(id, safe='')}")
    say({"revoked": id}, f"Token {id} is revoked.", as_json)


def own(client: Client) -> str:
    return client.get("/whoami")["name"]
