"""The commands of access keys."""

import json
from typing import Annotated, Any
from urllib.parse import quote

import typer

from modelkeep.cli.accounts import of, say
from modelkeep.cli.client import Client
from modelkeep.cli.options import DEFAULT_URL, Json, Url, User
from modelkeep.cli.telling import show_table
from modelkeep.cli.tokens import Account, own

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Access keys: what boto3, and all that speaks as AWS's clients do, sign with.",
)


@app.command()
def create(
    label: Annotated[str, typer.Argument(help="What it is for.")] = "",
    account: Account = "",
    days: Annotated[int | None, typer.Option(help="Days until it expires. [90]")] = None,
    number: Annotated[
        str,
        typer.Option(
            "--account",
            metavar="NUMBER",
            help="12 digits: of another account than the server's; the first by an administrator.",
        ),
    ] = "",
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """Make an access key, and print it as boto3 reads it: its secret is shown this once.

    \b
    modelkeep keys create "my notebook"
    modelkeep keys create nightly --of trainer --days 30 --json
    modelkeep keys create partner --of theirs --account 123456789012

    JSON: {"id", "label", "created", "expires", "account_number", "secret"}; "account_number" is
    missing of the server's own.
    """
    made = make(Client(url, user), label, account, days, number)
    if as_json:
        print(json.dumps(made, indent=2))
    else:
        print(f"AWS_ACCESS_KEY_ID={made['id']}\nAWS_SECRET_ACCESS_KEY={made['secret']}")


@app.command("list")
def list_keys(
    account: Account = "", url: Url = DEFAULT_URL, user: User = "", as_json: Json = False
) -> None:
    """List an account's access keys, without their secrets.

    \b
    modelkeep keys list
    modelkeep keys list --of trainer

    JSON: [{"id", "label", "created", "expires", "account_number", "used"}]; "account_number" is
    missing of the server's own, "used" of one that never was.
    """
    client = Client(url, user)
    found = client.get(f"{of(account or own(client))}/keys")
    rows = [
        [k["id"], k["label"], k["created"], k["expires"], k.get("account_number", ""),
         k.get("used", "")]
        for k in found
    ]  # fmt: skip
    head = ("id", "for", "created", "expires", "account", "last used")
    show_table(head, rows, found, as_json, "No access keys.")


@app.command()
def revoke(
    id: Annotated[str, typer.Argument(metavar="ID", help="As `keys list` shows it.")],
    account: Account = "",
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """Revoke an access key, everywhere within a second.

    \b
    modelkeep keys revoke MK4Q0ZJ7T1XW8C2V5B6N

    JSON: {"revoked"}.
    """
    client = Client(url, user)
    client.delete(f"{of(account or own(client))}/keys/{quote(id, safe='')}")
    say({"revoked": id}, f"Access key {id} is revoked.", as_json)


def make(
    client: Client, label: str, account: str = "", days: int | None = None, number: str = ""
) -> Any:
    """A new access key, with its secret."""
    body = {"label": label, "days": days, "account_number": number or None}
    return client.post(f"{of(account or own(client))}/keys", body)
