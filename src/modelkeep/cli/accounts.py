"""The commands of accounts: people, service accounts, and what they may do."""

import json
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from modelkeep.cli.client import Client, fail, plain
from modelkeep.cli.login import PasswordFile, read_password
from modelkeep.cli.options import DEFAULT_URL, Json, Url, User
from modelkeep.cli.telling import show_table

users_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="People: make, list, disable, delete them."
)
services_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Accounts of programs, for each of which a person answers.",
)
grants_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Who may do what: a role on a model, on a project, or on everything.",
)

Name = Annotated[str, typer.Argument(help="The account.")]
Role = Annotated[
    str,
    typer.Argument(help="viewer, restricted_viewer, contributor, reviewer, deployer or admin."),
]
Scope = Annotated[
    str, typer.Option("--on", help="*, model:NAME, prefix:BEGINNING or tag:KEY=VALUE.")
]


def of(name: str) -> str:
    """The path of an account."""
    return f"/accounts/{quote(name, safe='')}"


def say(told: dict[str, Any], sentence: str, as_json: bool) -> None:
    print(json.dumps(told) if as_json else plain(sentence))


# -- people ------------------------------------------------------------------------------------


@users_app.command("first")
def first_user(
    name: Name, password_file: PasswordFile = None, url: Url = DEFAULT_URL, as_json: Json = False
) -> None:
    """Make the first administrator, with the bootstrap token as MODELKEEP_TOKEN.

    \b
    MODELKEEP_TOKEN=mkb_… modelkeep users first ann

    JSON: {"name"}.
    """
    password = read_password(password_file, new=True)
    made = Client(url).post("/first-admin", {"name": name, "password": password})
    say(made, f"{name} can administer everything. Next: modelkeep login {name}", as_json)


@users_app.command("add")
def add_user(
    name: Name,
    password_file: PasswordFile = None,
    no_password: Annotated[
        bool, typer.Option("--no-password", help="They will come with a token alone.")
    ] = False,
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """Make a person's account, which may do nothing until something is granted to it.

    \b
    modelkeep users add rob
    modelkeep users add rob --no-password

    JSON: {"name"}.
    """
    password = None if no_password else read_password(password_file, new=True)
    body = {"name": name, "kind": "user", "password": password}
    made = Client(url, user).post("/accounts", body)
    say(made, f"{name} has an account. Next: modelkeep grants add {name} ROLE --on …", as_json)


@users_app.command("list")
def list_users(url: Url = DEFAULT_URL, user: User = "", as_json: Json = False) -> None:
    """List people and what was granted to them.

    \b
    modelkeep users list

    JSON: [{"name", "kind", "owner", "disabled", "password", "created", "grants": [{"role",
    "scope"}]}].
    """
    _list("user", Client(url, user), as_json)


@users_app.command("disable")
def disable_user(
    name: Name, url: Url = DEFAULT_URL, user: User = "", as_json: Json = False
) -> None:
    """Refuse an account from now on, of a service too; its tokens are revoked for good.

    \b
    modelkeep users disable rob

    JSON: {"name"}.
    """
    say(Client(url, user).post(f"{of(name)}/disable", {}), f"{name} is disabled.", as_json)


@users_app.command("enable")
def enable_user(name: Name, url: Url = DEFAULT_URL, user: User = "", as_json: Json = False) -> None:
    """Let a disabled account in again. It needs new tokens.

    \b
    modelkeep users enable rob

    JSON: {"name"}.
    """
    say(Client(url, user).post(f"{of(name)}/enable", {}), f"{name} is enabled.", as_json)


@users_app.command("delete")
def delete_user(name: Name, url: Url = DEFAULT_URL, user: User = "", as_json: Json = False) -> None:
    """Delete an account and erase its name from the accounts; nobody gets that name again.

    \b
    modelkeep users delete rob

    JSON: {"deleted"}.
    """
    Client(url, user).delete(of(name))
    say({"deleted": name}, f"{name} is deleted.", as_json)


@users_app.command("set-password")
def set_password(
    name: Name,
    password_file: PasswordFile = None,
    current_file: Annotated[
        Path | None, typer.Option(help="A file with the current password, to change your own.")
    ] = None,
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """Set a password, which ends the account's sessions. Your own needs the current one.

    \b
    modelkeep users set-password rob
    modelkeep users set-password rob --password-file - < secret

    JSON: {"name"}.
    """
    client = Client(url, user)
    me = client.get("/whoami")
    current = ""
    if current_file or (me["verified"] and me["name"] == name):
        current = read_password(current_file, called="Current password")
    password = read_password(password_file, new=True)
    made = client.put(f"{of(name)}/password", {"password": password, "current": current})
    say(made, f"The password of {name} is set.", as_json)


@users_app.command("recover")
def recover(
    data_dir: Annotated[Path, typer.Option(help="The server's data directory.")],
    database_url: Annotated[str, typer.Option(help="The server's database, if not there.")] = "",
    as_json: Json = False,
) -> None:
    """Print a token with which one administrator can be made, if all were lost.

    \b
    modelkeep users recover --data-dir ./modelkeep-data

    Run it on the server's machine while the server is stopped; the journal will tell of it.
    JSON: {"token"}.
    """
    from modelkeep import settings
    from modelkeep.domain.errors import ModelkeepError
    from modelkeep.operations import recover as renew

    try:
        read = settings.read({"data_dir": data_dir, "database_url": database_url or None})
        token = renew(read)
    except (ModelkeepError, OSError) as error:
        fail(str(error))
    print(json.dumps({"token": token}) if as_json else token)


# -- services ----------------------------------------------------------------------------------


@services_app.command("add")
def add_service(
    name: Name,
    owner: Annotated[str, typer.Option("--owner", help="The person who answers for it.")],
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """Make an account for a program. It can have tokens, and can approve nothing.

    \b
    modelkeep service-accounts add trainer --owner ann

    JSON: {"name"}.
    """
    made = Client(url, user).post("/accounts", {"name": name, "kind": "service", "owner": owner})
    say(made, f"{name} has an account. Next: modelkeep grants add {name} ROLE --on …", as_json)


@services_app.command("list")
def list_services(url: Url = DEFAULT_URL, user: User = "", as_json: Json = False) -> None:
    """List service accounts, who answers for them, and what was granted to them.

    \b
    modelkeep service-accounts list

    JSON: [{"name", "kind", "owner", "disabled", "password", "created", "grants": [{"role",
    "scope"}]}].
    """
    _list("service", Client(url, user), as_json)


# -- grants ------------------------------------------------------------------------------------


@grants_app.command("add")
def add_grant(
    name: Name,
    role: Role,
    scope: Scope = "*",
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """Grant a role on a scope: everything, if none is given.

    \b
    modelkeep grants add rob reviewer --on model:churn
    modelkeep grants add trainer contributor --on prefix:risk-

    JSON: {"name"}.
    """
    made = Client(url, user).post(f"{of(name)}/grants", {"role": role, "scope": scope})
    say(made, f"{name} is {role} on {scope}.", as_json)


@grants_app.command("remove")
def remove_grant(
    name: Name,
    role: Role,
    scope: Scope = "*",
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """Take a grant away.

    \b
    modelkeep grants remove rob reviewer --on model:churn

    JSON: {"removed"}.
    """
    Client(url, user).delete(f"{of(name)}/grants", role=role, on=scope)
    say({"removed": name}, f"{name} is no longer {role} on {scope}.", as_json)


@grants_app.command("list")
def list_grants(url: Url = DEFAULT_URL, user: User = "", as_json: Json = False) -> None:
    """List who was granted what.

    \b
    modelkeep grants list

    JSON: [{"name", "role", "scope"}].
    """
    found = [
        {"name": account["name"], **grant}
        for account in Client(url, user).get("/accounts")
        for grant in account["grants"]
    ]
    rows = [[g["name"], g["role"], g["scope"]] for g in found]
    show_table(("account", "role", "on"), rows, found, as_json, "No grants.")


# -- within ------------------------------------------------------------------------------------


def _list(kind: str, client: Client, as_json: bool) -> None:
    found = client.get("/accounts", kind=kind)
    rows = [
        [a["name"], a["owner"], "disabled" if a["disabled"] else "", a["created"],
         ", ".join(f"{g['role']} on {g['scope']}" for g in a["grants"])]
        for a in found
    ]  # fmt: skip
    head = ("name", "answered for by", "state", "created", "grants")
    show_table(head, rows, found, as_json, "No accounts.")
