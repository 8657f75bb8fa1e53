"""Holds on versions: what must not be deleted until somebody releases it."""

import json
from typing import Annotated

import typer

from modelkeep.cli.client import Client, plain
from modelkeep.cli.options import DEFAULT_URL, Json, Url, User, Which, address
from modelkeep.cli.telling import show_table

Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the journal.")]


def hold(
    version: Which, reason: Reason, url: Url = DEFAULT_URL, user: User = "", as_json: Json = False
) -> None:
    """Keep a version, and its bytes, from being deleted until somebody releases it.

    \b
    modelkeep hold churn/3 --reason "case 17" --user bob

    JSON: {"id", "model", "version", "reason", "placed_by", "placed"}.
    """
    found = Client(url, user).post(f"{address(version)}/hold", {"reason": reason})
    told = f"{found['model']}/{found['version']} is held by {found['placed_by']}."
    print(json.dumps(found, indent=2) if as_json else plain(told))


def release(
    version: Which, reason: Reason, url: Url = DEFAULT_URL, user: User = "", as_json: Json = False
) -> None:
    """Release a version that is held; it may be deleted then.

    \b
    modelkeep release churn/3 --reason "settled in May" --user bob

    JSON: {"id", "model", "version", "reason", "placed_by", "placed"}: the hold that there was.
    """
    found = Client(url, user).post(f"{address(version)}/release", {"reason": reason})
    told = f"{found['model']}/{found['version']} is held no longer."
    print(json.dumps(found, indent=2) if as_json else plain(told))


def holds(url: Url = DEFAULT_URL, user: User = "", as_json: Json = False) -> None:
    """List the versions that are held, and why.

    \b
    modelkeep holds

    JSON: [{"id", "model", "version", "reason", "placed_by", "placed"}].
    """
    found = Client(url, user).get("/holds")
    rows = [[f"{h['model']}/{h['version']}", h["placed_by"], h["placed"], h["reason"]]
            for h in found]  # fmt: skip
    show_table(("version", "held by", "since", "reason"), rows, found, as_json, "Nothing is held.")
