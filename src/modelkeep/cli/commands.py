"""The commands. Each asks the server at MODELKEEP_URL, says what came back, and exits with it."""

from typing import Annotated

import typer

from modelkeep.cli import (
    accounts,
    aliases,
    audit,
    aws,
    backups,
    endings,
    gates,
    holds,
    keys,
    lifecycles,
    login,
    policies,
    reading,
    reviews,
    semver,
    serving,
    tokens,
    upkeep,
    webhooks,
    witness,
)
from modelkeep.cli.client import Client, plain
from modelkeep.cli.entries import show_entries
from modelkeep.cli.importing.command import import_app
from modelkeep.cli.options import DEFAULT_URL, Json, ModelName, Url, User, Which, split
from modelkeep.cli.telling import (
    past_gates,
    settle,
    show_request,
    show_table,
)

app = typer.Typer(
    name="modelkeep",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="A model registry that keeps its word.\n\n"
    "Start a server with `modelkeep serve`, point MLFLOW_TRACKING_URI at it, and govern what "
    "reaches production with the other commands. They speak to the server at MODELKEEP_URL.\n\n"
    "Exit codes: 0 done, 1 refused or in error, 2 waiting for an approval or tampered with, 3 no "
    "answer from the server, 64 wrong usage.",
)
app.add_typer(reading.models_app, name="models")
app.add_typer(reading.versions_app, name="versions")
app.add_typer(aliases.alias_app, name="alias")
app.add_typer(reading.artifacts_app, name="artifacts")
app.add_typer(policies.app, name="policy")
app.add_typer(audit.app, name="audit")
app.add_typer(import_app, name="import")
app.add_typer(backups.app, name="backup")
app.command()(backups.restore)
app.command()(upkeep.fsck)
app.command()(upkeep.gc)
app.command()(upkeep.migrate)
app.command()(upkeep.accept_store)
app.command()(holds.hold)
app.command()(holds.release)
app.command("holds")(holds.holds)
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(gates.gate_app, name="gate")
app.add_typer(gates.documents_app, name="documents")
app.add_typer(reviews.emergencies_app, name="emergencies")
app.add_typer(lifecycles.lifecycle_app, name="lifecycle")
app.add_typer(lifecycles.retention_app, name="retention")
app.add_typer(accounts.users_app, name="users")
app.add_typer(accounts.services_app, name="service-accounts")
app.add_typer(accounts.grants_app, name="grants")
app.add_typer(tokens.app, name="tokens")
app.add_typer(keys.app, name="keys")
app.add_typer(aws.app, name="aws")
app.command("login")(login.login)
app.command("logout")(login.logout)
app.command("whoami")(login.whoami)
app.add_typer(witness.app, name="witness")
app.command()(serving.serve)
app.command()(serving.work)

Epoch = Annotated[
    int | None, typer.Option("--epoch", min=0, help="The slot's epoch as you last read it.")
]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the journal.")]


# -- moving versions -----------------------------------------------------------------------------


@app.command()
def promote(
    version: Which,
    to: Annotated[
        str,
        typer.Option(
            "--to", help="The stage: Staging, Production, Archived, None, or the model's own."
        ),
    ],
    reason: Reason = "",
    epoch: Epoch = None,
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """Ask for a version to move into a stage.

    \b
    modelkeep promote churn/3 --to Production --reason "two points better"
    modelkeep promote churn@candidate --to Staging --epoch 4 --json

    It moves at once if the policy's gates pass (exit 0), waits for an approval (2), or is refused
    with every gate's verdict (1). JSON: {"result", "target", "epoch", "message", "request",
    "decision", "version"}.
    """
    model, which = split(version)
    body = {"model": model, "version": which, "stage": to, "reason": reason, "epoch": epoch}
    settle(Client(url, user).post("/promotions", body), as_json)


@app.command()
def rollback(
    model: ModelName,
    reason: Reason,
    stage: Annotated[
        str | None, typer.Option(help="The stage to roll back; production without it.")
    ] = None,
    to: Annotated[
        str | None, typer.Option(help="A version that it held earlier; the last one without it.")
    ] = None,
    epoch: Epoch = None,
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """Return a stage to the version that it held before, and its alias with it, in one stroke.

    \b
    modelkeep rollback churn --reason "fails on the new data"
    modelkeep rollback churn --stage Staging --to 1.4.0 --reason "as it was in May"

    JSON: {"result", "target", "epoch", "message", "request", "decision", "version"}.
    """
    body = {"model": model, "reason": reason, "stage": stage, "to": to, "epoch": epoch}
    settle(Client(url, user).post("/rollbacks", body), as_json)


@app.command()
def requests(
    request_id: Annotated[
        int | None, typer.Argument(metavar="ID", help="Show this one, with its evidence.")
    ] = None,
    status: Annotated[
        str,
        typer.Option(
            help="pending, approved, rejected, changes_requested, withdrawn, expired, void, or all."
        ),
    ] = "pending",
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """List the requests that wait for an approval, or show one with the evidence it froze.

    \b
    modelkeep requests
    modelkeep requests 7
    modelkeep requests --status all --json

    JSON: [{"id", "model", "version", "source", "target", "status", "requested_by", "authors",
    "reason", "subject", "evidence", "policy", "created", "expires", "closed", "closing"}]; of one
    with "evidence_bundle", "evidence_is_current", "votes" and "comments".
    """
    if request_id is not None:
        show_request(Client(url, user).get(f"/requests/{request_id}"), as_json)
        return
    found = Client(url, user).get("/requests", status=None if status == "all" else status)
    rows = [
        [r["id"], f"{r['model']}/{r['version']}", f"{r['source']} -> {r['target']}", r["status"],
         r["requested_by"], r["created"], r["reason"]]
        for r in found
    ]  # fmt: skip
    show_table(("id", "version", "move", "status", "asked by", "asked at", "reason"), rows,
           found, as_json, f"No {'' if status == 'all' else status + ' '}requests.")  # fmt: skip


@app.command()
def approve(
    request_id: Annotated[int, typer.Argument(metavar="ID")],
    comment: Annotated[str, typer.Option("--comment", help="What you looked at.")] = "",
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """Approve a request. The version moves at once, if that was all it waited for.

    \b
    modelkeep approve 7 --comment "looked at the slices"

    JSON: {"result", "target", "epoch", "message", "request", "decision", "version"}.
    """
    settle(Client(url, user).post(f"/requests/{request_id}/approve", {"comment": comment}), as_json)


@app.command()
def reject(
    request_id: Annotated[int, typer.Argument(metavar="ID")],
    reason: Reason,
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """Reject a request, with a reason.

    \b
    modelkeep reject 7 --reason "the report is for another data set"

    JSON: {"result", "target", "epoch", "message", "request", "decision", "version"}.
    """
    settle(Client(url, user).post(f"/requests/{request_id}/reject", {"comment": reason}), as_json,
          done=("rejected",))  # fmt: skip


# -- the past ------------------------------------------------------------------------------------


@app.command()
def at(
    model: ModelName,
    time: Annotated[str, typer.Argument(help="As in 2026-11-20T10:00; without a zone it's UTC.")],
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """Say what was where at a moment: which version held each stage and alias.

    \b
    modelkeep at churn 2026-11-20T10:00
    modelkeep at churn 2026-11-20 --json

    JSON: {"model", "name_then", "at", "slots": [{"slot", "version", "epoch", "since", "until"}]}.
    """
    from urllib.parse import quote

    moment = Client(url, user).get(f"/models/{quote(model, safe='')}/at", time=time)
    rows = [
        [s["slot"], f"{s['version']}{past_gates(s)}", s["since"], s["until"] or "now"]
        for s in moment["slots"]
    ]
    then = moment["name_then"]
    if not as_json:
        called = "" if then == model else f" (then named {plain(then)})"
        print(f"{plain(model)}{called} at {moment['at']}:")
    show_table(
        ("slot", "version", "since", "until"), rows, moment, as_json, "Nothing held any slot."
    )


@app.command()
def history(
    model: ModelName,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many entries.")] = 50,
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """Tell what happened to a model, newest first: who did what, when and why.

    \b
    modelkeep history churn
    modelkeep history churn --limit 500 --json

    JSON: [{"index", "hash", "v", "id", "t", "project", "actor", "act", "obj", "pre", "post", "why",
    "texts", "req"}].
    """
    from urllib.parse import quote

    path = f"/models/{quote(model, safe='')}/history"
    show_entries(Client(url, user).get(path, limit=limit), as_json)


# -- reading: see `cli.reading` and `cli.semver` -------------------------------------------------

app.command("request-changes")(reviews.request_changes)
app.command()(reviews.comment)
app.command()(reviews.withdraw)
app.command()(endings.deprecate)
app.command()(endings.block)
app.command()(endings.reinstate)
app.command()(endings.retire)
app.command()(endings.loads)
app.command()(reading.compare)
app.command()(reading.lineage)
app.command()(semver.diff)
reading.versions_app.command()(semver.bump)
