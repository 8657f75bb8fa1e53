"""Dry runs of gates and policies, and the documents that gates ask for."""

import json
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from modelkeep.cli.client import REFUSED, WAITING, Client, plain, unreadable
from modelkeep.cli.options import DEFAULT_URL, Json, Url, User, Which, address
from modelkeep.cli.telling import show_table

gate_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Try the gates of a policy."
)
documents_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Attach documents to versions (a card, a validation report …), and read them.",
)

_ENDS = {"passed": 0, "refused": REFUSED, "waiting": WAITING}
_TYPES = {".md": "text/markdown", ".json": "application/json"}
Name = Annotated[str, typer.Argument(metavar="NAME", help="As in card or validation_report.")]


@gate_app.command("check")
def check(
    version: Which,
    to: Annotated[str, typer.Option("--to", help="The stage, as in Production.")],
    reason: Annotated[str, typer.Option("--reason", help="The reason you would give.")] = "",
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """Say what every gate would say if you asked for a move now. Nothing is moved or recorded.

    \b
    modelkeep gate check churn/3 --to Production
    modelkeep gate check churn@candidate --to Production --json

    Exit codes: 0 all pass, 1 one fails, 2 only an approval is missing. JSON: {"model", "version",
    "source", "target", "outcome", "verdicts": [{"gate", "outcome", "message"}], "policy"}.
    """
    found = Client(url, user).get(f"{address(version)}/check", to=to, reason=reason)
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        name = f"{found['model']}/{found['version']}"
        print(plain(f"{name}: {found['source']} -> {found['target']} is {found['outcome']}."))
        for verdict in found["verdicts"]:
            print(plain(f"  {_verdict(verdict)}"))
        if not found["verdicts"]:
            print("  No gate is in the way.")
    raise SystemExit(_ENDS[found["outcome"]])


def policy_test(
    file: Annotated[Path, typer.Argument(help="The policy, in YAML; it is not put in force.")],
    since: Annotated[
        str, typer.Option(help="Judge what was moved or refused since, as in 2026-01-01.")
    ] = "1970-01-01",
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """Replay a policy over past promotions, and list what it would have decided differently.

    \b
    modelkeep policy test production.yaml
    modelkeep policy test production.yaml --since 2026-01-01 --json

    Exit codes: 0 it would have decided the same, 1 it differs, or is no policy. JSON: {"examined",
    "differences": [{"entry", "at", "model", "version", "source", "target", "was", "would_be",
    "exact", "verdicts"}]}.
    """
    try:
        source = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        unreadable(file, error)
    found = Client(url, user).post("/policy/rehearsals", {"source": source, "since": since})
    moves = found["differences"]
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        for move in moves:
            print(plain(_told(move)))
        differ = "none differs" if not moves else f"{len(moves)} would differ"
        print(f"{found['examined']} past moves and refusals judged: {differ}.")
    if moves:
        raise SystemExit(REFUSED)


@documents_app.command("attach")
def attach(
    version: Which,
    name: Name,
    file: Annotated[Path, typer.Argument(help="Markdown, JSON or plain text in UTF-8.")],
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """Attach a document; one of that name gives its place to it, and stays as a revision.

    \b
    modelkeep documents attach churn/3 card card.md

    JSON: {"name", "revision", "media_type", "sha256", "size_bytes", "author", "attached", "body"}.
    """
    try:
        body = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        unreadable(file, error)
    media_type = _TYPES.get(file.suffix.lower(), "text/plain")
    path = f"{address(version)}/documents/{quote(name, safe='')}"
    put = Client(url, user).put(path, {"body": body, "media_type": media_type})
    if as_json:
        print(json.dumps(put, indent=2))
    else:
        print(f"{put['name']}, revision {put['revision']}  sha256:{put['sha256']}")


@documents_app.command("list")
def list_documents(
    version: Which, url: Url = DEFAULT_URL, user: User = "", as_json: Json = False
) -> None:
    """List the documents of a version.

    \b
    modelkeep documents list churn/3

    JSON: [{"name", "revision", "media_type", "sha256", "size_bytes", "author", "attached",
    "body"}], without the texts.
    """
    found = Client(url, user).get(f"{address(version)}/documents")
    rows = [
        [d["name"], d["revision"], d["media_type"], d["size_bytes"], d["author"], d["attached"]]
        for d in found
    ]
    head = ("name", "revision", "type", "bytes", "by", "attached")
    show_table(head, rows, found, as_json, "No documents.")


@documents_app.command("show")
def show_document(
    version: Which,
    name: Name,
    revision: Annotated[int | None, typer.Option(min=1, help="An older one.")] = None,
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """Print a document.

    \b
    modelkeep documents show churn/3 card
    modelkeep documents show churn@champion card --revision 1

    JSON: {"name", "revision", "media_type", "sha256", "size_bytes", "author", "attached", "body"}.
    """
    path = f"{address(version)}/documents/{quote(name, safe='')}"
    found = Client(url, user).get(path, revision=revision)
    print(json.dumps(found, indent=2) if as_json else plain(found["body"]))


def _verdict(verdict: dict[str, Any]) -> str:
    return f"[{verdict['outcome']}] {verdict['gate']}: {verdict['message']}"


def _told(move: dict[str, Any]) -> str:
    about = "" if move["exact"] else " (on what is known now)"
    said = "; ".join(_verdict(v) for v in move["verdicts"] if v["outcome"] != "passed")
    return (
        f"{move['at']}  {move['model']}/{move['version']}  {move['source']} -> {move['target']}: "
        f"was {move['was']}, would be {move['would_be']}{about}. {said}"
    )
