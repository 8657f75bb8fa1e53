"""The commands of the journal: to read it, to verify it, and to prove it to others."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from modelkeep.cli.client import USAGE, Client, fail, plain
from modelkeep.cli.entries import show_entries
from modelkeep.cli.options import DEFAULT_URL, Json, Url, User

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Read, verify and prove the journal.",
)


@app.command()
def show(
    start: Annotated[int, typer.Option(min=0, help="First index.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many entries.")] = 100,
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """Show the journal's entries, oldest first.

    \b
    modelkeep audit show
    modelkeep audit show --start 400 --limit 50 --json

    JSON: [{"index", "hash", "v", "id", "t", "project", "actor", "act", "obj", "pre", "post", "why",
    "texts", "req"}].
    """
    show_entries(Client(url, user).get("/journal/entries", start=start, limit=limit), as_json)


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="The file to write; - is standard output.")],
    url: Url = DEFAULT_URL,
    user: User = "",
) -> None:
    """Write the journal, and what the tables say, to a file that anyone can verify elsewhere.

    \b
    modelkeep audit export journal.jsonl
    modelkeep audit export - | modelkeep-verify -
    """
    try:
        target = sys.stdout if str(file) == "-" else file.open("w", encoding="utf-8")
        with target:
            for line in Client(url, user).lines("/journal/export"):
                target.write(json.dumps(line) + "\n")
    except OSError as error:
        fail(f"{file}: {error.strerror}")


@app.command()
def verify(
    file: Annotated[
        Path | None, typer.Option(help="Verify a file that `audit export` wrote.")
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Verify this data directory itself, without a server.")
    ] = None,
    database_url: Annotated[
        str, typer.Option(help="Verify this database itself, without a server.")
    ] = "",
    vkey: Annotated[
        list[str] | None, typer.Option(help="A key of the journal; may be repeated.")
    ] = None,
    witness: Annotated[
        list[str] | None, typer.Option(help="A key of a witness; may be repeated.")
    ] = None,
    quorum: Annotated[
        int | None, typer.Option("-k", help="How many witnesses must have cosigned. [all given]")
    ] = None,
    since: Annotated[
        list[str] | None, typer.Option(help="A file with a checkpoint that you kept.")
    ] = None,
    max_age: Annotated[
        int | None, typer.Option(help="How many seconds old the newest checkpoint may be.")
    ] = None,
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """Recompute the journal from its leaves and hold it against the tables and its checkpoints.

    \b
    modelkeep audit verify
    modelkeep audit verify --vkey "$JOURNAL_KEY" --since kept.checkpoint
    modelkeep audit verify --file journal.jsonl --json

    Exits 2 if anything was tampered with, and names the first bad entry; 3 for a signature, 4 if it
    is too old. `modelkeep-verify` does the same with a file, and needs nothing of modelkeep. JSON:
    {"intact", "entries", "root", "rows_compared", "checkpoints", "signed_entries", "cosigned_by",
    "erased_texts", "forks", "first_bad_entry", "problems": [{"index", "message"}],
    "problems_not_listed", "signature_problems", "stale", "tables_not_compared", "cannot_see"}.
    """
    from modelkeep.cli import verifier
    from modelkeep.domain import audit
    from modelkeep.domain.errors import InvalidInput

    if file:
        lines = verifier.lines_in(str(file))
    elif data_dir or database_url:
        lines = _export_of(data_dir, database_url)
    else:
        lines = Client(url, user).lines("/journal/export")
    try:
        trust = verifier.trust_in(vkey or [], witness or [], quorum, since or [], max_age)
        report = audit.verify(lines, trust)
    except (InvalidInput, OSError) as error:
        fail(str(error), USAGE, "wrong_usage")
    if code := verifier.settle(report, as_json):
        raise SystemExit(code)


def _export_of(data_dir: Path | None, database_url: str) -> Any:
    from modelkeep.domain.errors import ModelkeepError
    from modelkeep.operations import open_export

    try:
        yield from open_export(data_dir or Path(), database_url)
    except (ModelkeepError, OSError) as error:
        fail(str(error))


# -- proofs ----------------------------------------------------------------------------------------

Target = Annotated[Path | None, typer.Option("--file", help="Write it to this file.")]


@app.command()
def status(url: Url = DEFAULT_URL, user: User = "", as_json: Json = False) -> None:
    """Say how much of the journal is signed, and what keeps the server from signing more.

    \b
    modelkeep audit status

    JSON: {"origin": {"number", "name", "vkey", "opened"}, "entries", "root", "signed_entries",
    "signed", "objection", "witnesses"}.
    """
    found = Client(url, user).get("/journal/status")
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        print(plain(f"{found['entries']} entries, root {found['root']}."))
        signed = f" at {found['signed']}" if found["signed"] else ""
        print(
            plain(f"{found['signed_entries']} of them signed{signed} by {found['origin']['name']}.")
        )
        print(
            plain(f"NOT SIGNING: {found['objection']}." if found["objection"] else "All is well.")
        )
    if found["objection"]:
        raise SystemExit(1)


@app.command()
def checkpoint(
    target: Target = None, url: Url = DEFAULT_URL, user: User = "", as_json: Json = False
) -> None:
    """Print the newest signed checkpoint. Keep it elsewhere: it is what `--since` takes.

    \b
    modelkeep audit checkpoint --file 2026-11-21.checkpoint

    JSON: {"checkpoint"}.
    """
    note = Client(url, user).text("/journal/checkpoint")
    _hand_over(json.dumps({"checkpoint": note}) + "\n" if as_json else note, target)


@app.command()
def key(url: Url = DEFAULT_URL, user: User = "", as_json: Json = False) -> None:
    """Print the key that verifies the journal's checkpoints.

    \b
    modelkeep audit key

    JSON: {"number", "name", "vkey", "opened"}.
    """
    origin = Client(url, user).get("/journal/status")["origin"]
    print(json.dumps(origin, indent=2) if as_json else plain(origin["vkey"]))


@app.command()
def prove(
    index: Annotated[int, typer.Argument(min=0, help="The entry's index.")],
    size: Annotated[
        int | None, typer.Option(min=1, help="In the tree of so many entries. [all]")
    ] = None,
    url: Url = DEFAULT_URL,
    user: User = "",
    _as_json: Json = False,  # it is JSON in any case
) -> None:
    """Print the proof that an entry is in the journal, as JSON.

    \b
    modelkeep audit prove 41
    modelkeep audit prove 41 --size 500

    JSON: {"hashes"}, in base64.
    """
    client = Client(url, user)
    size = size or client.get("/journal/status")["entries"]
    print(json.dumps(client.get("/journal/proofs/inclusion", index=index, size=size), indent=2))


@app.command()
def extends(
    old: Annotated[int, typer.Argument(min=0, help="A number of entries.")],
    new: Annotated[int, typer.Argument(min=0, help="A larger one.")],
    url: Url = DEFAULT_URL,
    user: User = "",
    _as_json: Json = False,  # it is JSON in any case
) -> None:
    """Print the proof that the journal of NEW entries begins with that of OLD, as JSON.

    \b
    modelkeep audit extends 400 500

    JSON: {"hashes"}, in base64.
    """
    path = "/journal/proofs/consistency"
    print(json.dumps(Client(url, user).get(path, **{"from": old, "to": new}), indent=2))


@app.command()
def receipt(
    index: Annotated[int | None, typer.Argument(min=0, help="The entry's index.")] = None,
    request: Annotated[
        str, typer.Option(help="Instead: the X-Request-Id of the answer to the change.")
    ] = "",
    target: Target = None,
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """Print the receipt of an entry: a file that proves, without the server, what was recorded.

    \b
    modelkeep audit receipt 41 --file 41.receipt
    modelkeep audit receipt --request 87f72e5092aac3bf

    JSON: [{"index", "receipt"}].
    """
    if not request and index is None:
        raise typer.BadParameter("Give the entry's INDEX, or --request ID.")
    client = Client(url, user)
    if request:
        found = client.get(f"/journal/receipts/{quote(request, safe='')}")
    else:
        text = client.text(f"/journal/entries/{index}/receipt")
        found = [{"index": index, "receipt": text}]
    told = json.dumps(found, indent=2) + "\n"
    _hand_over(told if as_json else "\n".join(r["receipt"] for r in found), target)


@app.command()
def fork(
    reason: Annotated[str, typer.Option("--reason", help="Why; kept in the journal.")],
    origin: Annotated[
        str, typer.Option(help="The new origin's name. [the first one's, and /2]")
    ] = "",
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """Begin a new origin where the journal does not continue what was signed.

    \b
    modelkeep audit fork --reason "restored the backup of Monday"

    Verifiers who know the old origin will see it, and ask for the reason. JSON: {"number", "name",
    "vkey", "opened"}.
    """
    found = Client(url, user).post("/journal/fork", {"reason": reason, "origin": origin})
    print(json.dumps(found, indent=2) if as_json else plain(f"From now on: {found['vkey']}"))


def _hand_over(text: str, target: Path | None) -> None:
    if target is None:
        sys.stdout.write(text)
        return
    try:
        target.write_bytes(text.encode())
    except OSError as error:
        fail(f"{target}: {error.strerror}")
