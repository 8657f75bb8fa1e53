"""The commands that read: models, versions, comparisons, lineage and files."""

import json
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from modelkeep.cli import tables
from modelkeep.cli.client import Client, Failed, end
from modelkeep.cli.options import DEFAULT_URL, Json, ModelName, Url, User, Which, address
from modelkeep.cli.tables import Column, brief, moment, size, stage

REQUEST_LIMIT = 1000  # what one call answers at most
SHORT = 12  # hex digits of a digest
RUN_CHARS = 8
CLAIM_CHARS = 20  # of a tag that should be a semantic version

_group = {"no_args_is_help": True, "rich_markup_mode": None}
models_app = typer.Typer(help="Read what models there are.", **_group)
versions_app = typer.Typer(help="Read what versions a model has.", **_group)
artifacts_app = typer.Typer(help="List and download the files of a version.", **_group)

Limit = Annotated[int, typer.Option("--limit", min=1, help="How many at most.")]
Cursor = Annotated[
    str | None, typer.Option("--cursor", help="Go on where an earlier answer's `next` says.")
]


@models_app.command("list")
def models_list(
    filter: Annotated[
        str, typer.Option("--filter", help="A condition, in MLflow's search language.")
    ] = "",
    limit: Limit = 50,
    cursor: Cursor = None,
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """List the models: the newest version, what is in production, and what the aliases name.

    \b
    modelkeep models list
    modelkeep models list --filter "name LIKE 'churn%'"
    modelkeep models list --filter "tags.team = 'risk'" --limit 500 --json

    With `!` stands what was brought into production past its gates, without a review that accepts
    it. Times are UTC. JSON: {"models": [{"name", "newest", "semver", "production", "emergency",
    "aliases", "versions", "created", "updated", "description", "tags"}], "next"}; `next` is null at
    the end.
    """
    found = _pages(Client(url, user), "/models", "models", limit, filter=filter, cursor=cursor)
    columns = (
        Column("Name", least=16),
        Column("Version", right=True),
        Column("Semver"),
        Column("Production", right=True),
        Column("Aliases", least=12, rank=2),
        Column("Versions", right=True, rank=1),
        Column("Updated"),
        Column("Description", least=12, rank=3),
    )
    rows = [
        [m["name"], _number(m["newest"]), m["semver"] or "-", _production(m),
         ", ".join(f"{a}: {n}" for a, n in sorted(m["aliases"].items())),
         str(m["versions"]), moment(m["updated"]), brief(m["description"])]
        for m in found["models"]
    ]  # fmt: skip
    empty = f"No models after '{cursor}'." if cursor else "No models."
    _tell(found, columns, rows, empty, as_json)


@versions_app.command("list")
def versions_list(
    model: ModelName,
    limit: Limit = 50,
    cursor: Cursor = None,
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """List the versions of a model, newest first.

    \b
    modelkeep versions list churn
    modelkeep versions list churn --limit 500 --json

    A version is verified when its bytes are held here, under the digest shown, and unverified
    when only its address is; pending while bytes that just came wait to be hashed, and failed when
    they were not what was uploaded. One that is deprecated, blocked or retired says so beside. One
    whose tag `semantic_version` says another number than it has is marked so, and with `!` the
    stage of one for which a review is owed, because it was brought somewhere past its gates. Times
    are UTC.
    JSON: {"model", "versions": [{"version", "semver", "claim", "stage", "emergency", "status",
    "state", "ending", "aliases", "created", "updated", "author", "run", "logged_model", "source",
    "manifest", "description", "tags"}], "next"}.
    """
    path = f"/models/{quote(model, safe='')}/versions"
    found = _pages(Client(url, user), path, "versions", limit, cursor=cursor)
    columns = (
        Column("Version", right=True),
        Column("Semver"),
        Column("Stage"),
        Column("Status"),
        Column("Created"),
        Column("Aliases", least=8, rank=1),
        Column("Author", least=8, rank=3),
        Column("Run ID", rank=2),
        Column("Digest", rank=4),
        Column("Source", least=20, rank=5),
    )
    rows = [
        [str(v["version"]), semver(v), stage(v), _status(v), moment(v["created"]),
         ", ".join(v["aliases"]),
         v["author"], (v["run"] or "-")[:RUN_CHARS], _short(v["manifest"]), v["source"]]
        for v in found["versions"]
    ]  # fmt: skip
    _tell(found, columns, rows, f"Model {model} has no versions.", as_json)


def compare(
    model: ModelName,
    versions: Annotated[
        list[str] | None,
        typer.Argument(metavar="VERSION", help="3, 1.4.0, ~1.4, @champion, Production or latest."),
    ] = None,
    lower: Annotated[
        list[str] | None,
        typer.Option("--lower", metavar="METRIC", help="Less of it is better; may be repeated."),
    ] = None,
    higher: Annotated[
        list[str] | None,
        typer.Option("--higher", metavar="METRIC", help="More of it is better; may be repeated."),
    ] = None,
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """Compare versions side by side: every metric with the best marked, and what differs.

    \b
    modelkeep compare churn                      the newest five, and the one in Production
    modelkeep compare churn 3 7 @champion
    modelkeep compare churn 3 7 --lower churn_cost

    More is better, unless a threshold of the policy (`<`, `<=`) or the metric's name says less:
    loss, error, mae, mse, rmse, latency and their like, as a word of it; `neg_…` is more again.
    NaN is never the best. JSON: {"model", "versions", "metrics": [{"name", "lower_is_better",
    "values", "best"}], "params": [{"name", "values", "differs"}], "tags"}.
    """
    from modelkeep.cli import contests

    path = f"/models/{quote(model, safe='')}/comparison"
    found = Client(url, user).get(path, version=versions, lower=lower, higher=higher)
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        contests.show(found)


def lineage(version: Which, url: Url = DEFAULT_URL, user: User = "", as_json: Json = False) -> None:
    """Tell where a version comes from, where it went, and who approved it.

    \b
    modelkeep lineage churn/3
    modelkeep lineage churn@champion --json

    Shows its bytes, run, parameters, metrics, data sets, copies, what it serves and served, and
    approvals. Times are UTC. JSON: {"version", "semver", "files", "size_bytes", "logged_model",
    "run", "parent_run", "copy_of", "copies", "served", "approvals"}.
    """
    from modelkeep.cli import trees

    found = Client(url, user).get(f"{address(version)}/lineage")
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        trees.show_lineage(found)


@artifacts_app.command("list")
def artifacts_list(
    version: Which,
    path: Annotated[str, typer.Argument(metavar="PATH", help="Only this folder or file.")] = "",
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """List the files of a version, with their sizes and SHA-256.

    \b
    modelkeep artifacts list churn/3
    modelkeep artifacts list churn@champion code --json

    JSON: {"model", "version", "manifest", "files": [{"path", "sha256", "size_bytes"}]}.
    """
    from modelkeep.cli import downloads

    found = downloads.listing(Client(url, user), address(version), path)
    if as_json:
        print(json.dumps(found, indent=2))
        return
    print(tables.plain(f"Artifacts for {found['model']} v{found['version']}:"))
    columns = (Column("Path", least=20), Column("Size", right=True), Column("SHA-256", rank=1))
    rows = [[f["path"], size(f["size_bytes"]), f["sha256"][:SHORT]] for f in found["files"]]
    tables.show(columns, rows)
    print(f"{_total(found['files'])}.  Manifest {found['manifest']}")


@artifacts_app.command("download")
def artifacts_download(
    version: Which,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Made if it is not there.")],
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite files that differ from the version's.")
    ] = False,
    jobs: Annotated[int, typer.Option("--jobs", min=1, max=32, help="Files at once.")] = 4,
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """Download a version's files, each checked by its SHA-256 as it lands.

    \b
    modelkeep artifacts download churn@champion ./model
    modelkeep artifacts download churn/3 ./model --force --jobs 8

    Files that are there and right are left alone, so a download that broke off can be repeated.
    A file is seen only when it is whole. Exits 2 if bytes are not what was registered, and 1,
    with nothing written, if DIR has other files under the same names and no --force is given.
    JSON: {"model", "version", "manifest", "directory", "files": [{"path", "sha256",
    "size_bytes", "state"}]}; a state is downloaded or present.
    """
    from modelkeep.cli import downloads

    try:
        found = downloads.download(
            Client(url, user), address(version), directory, force, jobs, quiet=as_json
        )
    except Failed as failed:
        end(failed)
    if as_json:
        print(json.dumps(found, indent=2))
        return
    print(tables.plain(f"Model downloaded to: {found['directory']}"))
    fresh = [f for f in found["files"] if f["state"] == "downloaded"]
    print(f"{_total(fresh)} downloaded, {len(found['files']) - len(fresh)} there already.")
    print(f"Every file was read again and has its digest.  Manifest {found['manifest']}")


def _pages(client: Client, path: str, key: str, limit: int, **params: Any) -> dict[str, Any]:
    """As many items as wanted, in as few calls as it takes."""
    found = client.get(path, limit=min(limit, REQUEST_LIMIT), **params)
    while found["next"] and len(found[key]) < limit:
        wanted = min(limit - len(found[key]), REQUEST_LIMIT)
        page = client.get(path, limit=wanted, **{**params, "cursor": found["next"]})
        found[key] += page[key]
        found["next"] = page["next"]
    return found


def _tell(
    found: dict[str, Any],
    columns: tuple[Column, ...],
    rows: list[list[str]],
    empty: str,
    as_json: bool,
) -> None:
    if as_json:
        print(json.dumps(found, indent=2))
    elif not rows:
        print(tables.plain(empty))
    else:
        tables.show(columns, rows)
        if found["next"]:
            print(tables.plain(f"There are more: --limit, or --cursor '{found['next']}'."))


def _number(number: int | None) -> str:
    return "-" if number is None else str(number)


def _production(model: dict[str, Any]) -> str:
    return _number(model["production"]) + (" !" if model["emergency"] else "")


def _status(version: dict[str, Any]) -> str:
    state = version["state"]
    return version["status"] if state == "active" else f"{version['status']}, {state}"


def semver(version: dict[str, Any]) -> str:
    """A version's number and, where its tag says another, what that claims."""
    claim = "" if version["claim"] is None else f" (claims {brief(version['claim'], CLAIM_CHARS)})"
    return version["semver"] + claim


def _short(digest: str | None) -> str:
    return digest.removeprefix("sha256:")[:SHORT] if digest else "-"


def _total(files: list[dict[str, Any]]) -> str:
    total = size(sum(file["size_bytes"] for file in files))
    return f"{len(files)} file{'' if len(files) == 1 else 's'}, {total}"
