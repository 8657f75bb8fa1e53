"""The commands that end the life of versions, and the one that says who loads them."""

import json
from typing import Annotated, Any
from urllib.parse import quote

import typer

from modelkeep.cli.client import Client, plain
from modelkeep.cli.options import DEFAULT_URL, Json, Url, User, Which, address, split
from modelkeep.cli.telling import settle, show_table

Reason = Annotated[
    str, typer.Option("--reason", help="Why; whoever loads the version is told, and the journal.")
]
Replacement = Annotated[
    int | None,
    typer.Option("--replacement", metavar="NUMBER", help="The version to use instead."),
]


def deprecate(
    version: Which,
    reason: Reason,
    replacement: Replacement = None,
    blocks: Annotated[
        str | None,
        typer.Option("--blocks", metavar="TIME", help="Block it from then on, as in 2027-01-31."),
    ] = None,
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """Say that a version should not be used any more, and what instead. It works as before.

    \b
    modelkeep deprecate churn/3 --reason "trained on the old clinics" --replacement 7
    modelkeep deprecate churn/3 --reason "as above" --blocks 2027-01-31

    Whoever loads it is told, and so are webhooks, once a person and day. With --blocks the server
    blocks it by itself when the time comes, as soon as no alias and no stage that counts holds it.
    JSON: the version, with its "state" and "ending".
    """
    asked = {"state": "deprecated", "reason": reason, "replacement": replacement, "blocks": blocks}
    _change(Client(url, user), version, asked, as_json)


def block(
    version: Which,
    reason: Reason,
    replacement: Replacement = None,
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """Refuse every new load of a version. Whoever has its bytes keeps them; reinstate undoes it.

    \b
    modelkeep block churn/3 --reason "CVE-2026-12345 in a dependency" --replacement 7

    Exits 1 if an alias, production or a guarded stage holds it: promote another one first.
    JSON: the version, with its "state" and "ending".
    """
    asked = {"state": "blocked", "reason": reason, "replacement": replacement}
    _change(Client(url, user), version, asked, as_json)


def reinstate(
    version: Which,
    reason: Reason,
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """Take back that a version is deprecated or blocked.

    \b
    modelkeep reinstate churn/3 --reason "the dependency was mended"

    JSON: the version, with its "state" and "ending".
    """
    _change(Client(url, user), version, {"state": "active", "reason": reason}, as_json)


def retire(
    version: Which,
    reason: Reason,
    replacement: Replacement = None,
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """Take a version out of use for good: it is never loaded, promoted or aliased again.

    \b
    modelkeep retire churn/3 --reason "the clinics it was trained for are closed"

    Its past and its number stay. Exits 1 if an alias, production or a guarded stage holds it.
    JSON: the version, with its "state" and "ending".
    """
    asked = {"state": "retired", "reason": reason, "replacement": replacement}
    _change(Client(url, user), version, asked, as_json)


def loads(
    which: Annotated[str, typer.Argument(metavar="MODEL[/NUMBER]", help="churn, or churn/3.")],
    days: Annotated[int, typer.Option("--days", min=1, max=400, help="How far back.")] = 30,
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """Tell who loaded a model's versions, or one of them, and when last; for deployers.

    \b
    modelkeep loads churn
    modelkeep loads churn/3 --days 90 --json

    Whoever has no name is told by the address that they called from. With --auth off a name is a
    claim. The last few seconds may still be missing. JSON: [{"version", "name", "kind",
    "verified", "client", "address", "loads", "days", "last"}].
    """
    model, number = split(which) if "/" in which.removeprefix("models:/") else (which, None)
    path = f"/models/{quote(model, safe='')}/loads"
    found = Client(url, user).get(path, version=number, days=days)
    rows = [
        [f"{model}/{row['version']}", _who(row), row["client"], row["loads"], row["days"],
         row["last"]]
        for row in found
    ]  # fmt: skip
    head = ("version", "who", "client", "loads", "on days", "last")
    show_table(head, rows, found, as_json, f"Nobody loaded {plain(which)} in the last {days} days.")


def _who(row: dict[str, Any]) -> str:
    if row["name"] is None:
        return f"somebody at {row['address']}"
    return row["name"] if row["verified"] or row["kind"] == "anonymous" else f"{row['name']} (says)"


def _change(client: Client, version: str, asked: dict[str, Any], as_json: bool) -> None:
    body = {name: value for name, value in asked.items() if value is not None}
    found = client.put(f"{address(version)}/state", body)
    if "result" in found:
        settle(found, as_json)
    elif as_json:
        print(json.dumps(found, indent=2))
    else:
        name, ending = f"{found['model']}/{found['version']}", found["ending"]
        print(plain(ending["warning"] if ending else f"{name} is active again."))
        if ending and ending["blocks"]:
            print(f"It is blocked from {ending['blocks']} on.")
        if ending:
            print(plain(f"Who loaded it: modelkeep loads {name}"))
