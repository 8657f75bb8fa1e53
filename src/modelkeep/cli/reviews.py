"""What can be done with a request besides voting, and promotions past the gates."""

import json
from typing import Annotated

import typer

from modelkeep.cli.client import Client, misused, plain
from modelkeep.cli.options import DEFAULT_URL, Json, Url, User, Which, split
from modelkeep.cli.telling import settle, show_table

emergencies_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Bring a version past its gates in an emergency, and review such emergencies.",
)
Request = Annotated[int, typer.Argument(metavar="ID", help="The request's.")]
Comment = Annotated[str, typer.Option("--comment", help="What you have to say.")]


def request_changes(
    request_id: Request, comment: Comment, url: Url = DEFAULT_URL, user: User = "",
    as_json: Json = False,
) -> None:  # fmt: skip
    """Send a request back, and say what to mend before it is made again.

    \b
    modelkeep request-changes 7 --comment "add the slices by region"

    JSON: {"result", "target", "epoch", "message", "request", "decision", "version"}.
    """
    path = f"/requests/{request_id}/request-changes"
    settle(Client(url, user).post(path, {"comment": comment}), as_json, done=("rejected",))


def comment(
    request_id: Request,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What you have to say.")],
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """Say something of a request, without deciding it.

    \b
    modelkeep comment 7 "which data is this on?"

    JSON: {"name", "text", "at"}.
    """
    said = Client(url, user).post(f"/requests/{request_id}/comments", {"comment": text})
    print(json.dumps(said, indent=2) if as_json else plain(f"{said['at']}  {said['name']}"))


def withdraw(
    request_id: Request,
    reason: Annotated[str, typer.Option("--reason", help="Why.")] = "",
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """Take back a request that you made.

    \b
    modelkeep withdraw 7 --reason "found a leak in the features"

    JSON: {"id", "model", "version", "source", "target", "status", "requested_by", "authors",
    "reason", "subject", "evidence", "policy", "created", "expires", "closed", "closing"}.
    """
    found = Client(url, user).post(f"/requests/{request_id}/withdraw", {"comment": reason})
    print(json.dumps(found, indent=2) if as_json else f"Request {found['id']} is withdrawn.")


@emergencies_app.command("break-glass")
def break_glass(
    version: Which,
    to: Annotated[str, typer.Option("--to", help="The stage.")],
    reason: Annotated[str, typer.Option("--reason", help="Why it cannot wait.")],
    hours: Annotated[
        int | None,
        typer.Option(min=1, max=168, help="Until the review is due. [the policy's, or 24]"),
    ] = None,
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """Bring a version into a stage past its gates, for admins.

    \b
    modelkeep emergencies break-glass churn/3 --to Production --reason "scores are all 0"

    What the gates said is recorded all the same, the entry in the journal says that they were
    passed over, and somebody else owes a review; while one is owed, it cannot be done again there.
    JSON: {"result", "target", "epoch", "message", "request", "decision", "version"}.
    """
    model, which = split(version)
    body = {"model": model, "version": which, "stage": to, "reason": reason, "hours": hours}
    settle(Client(url, user).post("/emergencies", body), as_json)


@emergencies_app.command("list")
def list_emergencies(
    unreviewed: Annotated[bool, typer.Option(help="Only those that wait for a review.")] = False,
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """List the promotions past the gates, newest first.

    \b
    modelkeep emergencies list
    modelkeep emergencies list --unreviewed --json

    JSON: [{"id", "model", "version", "stage", "status", "opened_by", "reason", "opened", "due",
    "verdicts", "reviewed_by", "reviewed", "review"}].
    """
    found = Client(url, user).get("/emergencies", unreviewed="true" if unreviewed else None)
    rows = [
        [e["id"], f"{e['model']}/{e['version']}", e["stage"], e["status"], e["opened_by"],
         e["opened"], e["due"], e["reviewed_by"] or "", e["reason"]]
        for e in found
    ]  # fmt: skip
    head = ("id", "version", "stage", "review", "by", "at", "due", "reviewed by", "reason")
    show_table(head, rows, found, as_json, "No emergencies.")


@emergencies_app.command("review")
def review(
    emergency_id: Annotated[int, typer.Argument(metavar="ID", help="The emergency's.")],
    comment: Annotated[str, typer.Option("--comment", help="What you looked at, and found.")],
    accept: Annotated[
        bool | None, typer.Option("--accept/--fault", help="Whether it was justified. [required]")
    ] = None,
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """Say of an emergency whether it was justified.

    One that was not is rolled back if the policy says so; otherwise it is said how to do that.

    \b
    modelkeep emergencies review 2 --accept --comment "the outage was real"
    modelkeep emergencies review 2 --fault --comment "it could have waited"

    JSON: {"id", "model", "version", "stage", "status", "opened_by", "reason", "opened", "due",
    "verdicts", "reviewed_by", "reviewed", "review"}.
    """
    if accept is None:
        misused("Say whether it was justified: --accept or --fault.")
    body = {"accepts": accept, "comment": comment}
    found = Client(url, user).post(f"/emergencies/{emergency_id}/review", body)
    told = f"Emergency {found['id']} is reviewed: {found['status']}."
    print(json.dumps(found, indent=2) if as_json else plain(f"{told}\n{found['next']}".rstrip()))
