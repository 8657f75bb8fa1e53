"""The commands of policies: what is in force, what was, and what one would have decided."""

import json
from pathlib import Path
from typing import Annotated

import typer

from modelkeep.cli import gates, lifecycles
from modelkeep.cli.client import Client, plain, unreadable
from modelkeep.cli.options import DEFAULT_URL, Json, Url, User
from modelkeep.cli.telling import show_sections, show_table

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Apply and show the policy in force, and those before it.",
)
app.command("test")(gates.policy_test)


@app.command()
def apply(
    file: Annotated[Path, typer.Argument(help="The policy, in YAML.")],
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """Put a policy in force for every model, and list what of it is enforced.

    \b
    modelkeep policy apply production.yaml

    JSON: {"revision", "digest", "changed", "sections": [{"path", "enforced", "note"}], "findings",
    "voided_requests", "warnings"}.
    """
    try:
        source = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        unreadable(file, error)
    applied = Client(url, user).post("/policy", {"source": source})
    if as_json:
        print(json.dumps(applied, indent=2))
        return
    state = "is in force" if applied["changed"] else "was in force already"
    print(f"Policy revision {applied['revision']} {state}.  {applied['digest']}")
    show_sections(applied["sections"])
    for request_id in applied["voided_requests"]:
        print(f"Request {request_id} was made under the policy before, and is void.")
    for warning in applied["warnings"]:
        print(f"Warning: {plain(warning)}")
    for finding in applied["findings"]:
        print(f"Note: {plain(finding)}")


@app.command()
def show(
    revision: Annotated[
        int | None, typer.Option(min=1, help="One that was applied before.")
    ] = None,
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """Show the policy in force, or an earlier one, as it was applied, and what of it is enforced.

    \b
    modelkeep policy show
    modelkeep policy show --revision 2

    JSON: {"revision", "digest", "source", "sections", "lifecycles", "applied", "author"}.
    """
    path = "/policy" if revision is None else f"/policy/revisions/{revision}"
    shown = Client(url, user).get(path)
    if as_json:
        print(json.dumps(shown, indent=2))
    elif shown["revision"] == 0:
        print("No policy is in force: every move is allowed, as in stock MLflow.")
    else:
        by = plain(shown["author"])
        print(f"Revision {shown['revision']}, by {by}, {shown['applied']}  {shown['digest']}")
        print(plain(shown["source"]))
        show_sections(shown["sections"])
        lifecycles.list_all(shown["lifecycles"])


@app.command("list")
def list_policies(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 50,
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """List the policies that were applied, newest first: the first is in force.

    \b
    modelkeep policy list

    JSON: [{"revision", "digest", "applied", "author"}].
    """
    found = Client(url, user).get("/policy/revisions", limit=limit)
    rows = [[p["revision"], p["applied"], p["author"], p["digest"]] for p in found]
    head = ("revision", "applied", "by", "digest")
    show_table(head, rows, found, as_json, "No policy was applied.")
