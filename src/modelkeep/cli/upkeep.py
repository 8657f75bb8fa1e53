"""The commands that look after what is stored: beside a server or without one."""

import json
from dataclasses import asdict
from typing import Annotated, Any

import typer

from modelkeep.cli.backups import Progress
from modelkeep.cli.client import TAMPERED, plain
from modelkeep.cli.options import Artifacts, Config, DatabaseUrl, DataDir, Json, S3Endpoint, User
from modelkeep.cli.starting import here
from modelkeep.cli.tables import size

_SHOWN = 100  # findings told of to a person
HOUR_MS = 3_600_000


def gc(
    delete: Annotated[
        bool, typer.Option("--delete/--dry-run", help="Delete what is due, instead of telling.")
    ] = False,
    grace_hours: Annotated[
        float, typer.Option(min=0, help="From when bytes were found unnamed to their deletion.")
    ] = 24.0,
    deleted_days: Annotated[
        int, typer.Option(min=0, help="How long files of what was deleted are kept.")
    ] = 30,
    evidence_days: Annotated[
        int | None,
        typer.Option(
            min=0, help="The same, of versions that ever had an alias or a stage. [for good]"
        ),
    ] = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
    artifacts: Artifacts = None,
    s3_endpoint_url: S3Endpoint = None,
    user: User = "",
    as_json: Json = False,
) -> None:
    """Find the bytes that nothing names; with --delete, delete those that were found long ago.

    \b
    modelkeep gc
    modelkeep gc --delete --deleted-days 90

    The first run with --delete notes what it finds, a later one deletes it. Never goes: what any
    living run, logged model or version has, what is held, and anything while a backup is taken.
    JSON: {"deleted", "folders": {KIND: {"count", "size_bytes"}}, "versions": {"count",
    "size_bytes"}}, and the same of "new", "waiting", "due", "small_new", "small_waiting" and
    "small_due".
    """
    from modelkeep import operations
    from modelkeep.domain.access import Actor, Caller
    from modelkeep.services.garbage import Terms
    from modelkeep.services.retention import SYSTEM

    terms = Terms(int(grace_hours * HOUR_MS), deleted_days, evidence_days)
    caller = Caller(Actor(user)) if user else SYSTEM
    with (
        here("gc", data_dir, database_url, config, artifacts, s3_endpoint_url) as settings,
        Progress() as tell,
    ):
        found = operations.collect_garbage(settings, caller, terms, deletes=delete, tell=tell)
    if as_json:
        print(json.dumps({"deleted": delete, **asdict(found)}, indent=2))
    else:
        _tell(found, delete)


def _tell(found: Any, deleted: bool) -> None:
    gone, found_now = ("deleted", "noted") if deleted else ("due", "not noted yet")
    for kind, amount in found.folders.items():
        _line(amount, f"files of deleted {kind}s, {'forgotten' if deleted else 'to be forgotten'}")
    _line(found.versions, "deleted versions whose files need not be kept any more", of=" in")
    for name, amounts in (
        ("blobs", (found.new, found.waiting, found.due)),
        ("small files", (found.small_new, found.small_waiting, found.small_due)),
    ):
        states = (found_now, "waiting for the grace to be over", gone)
        for amount, state in zip(amounts, states, strict=True):
            _line(amount, f"{name} that nothing names, {state}")
    if not deleted:
        print("Nothing was changed: this was a dry run. See --delete.")


def _line(amount: Any, what: str, of: str = "") -> None:
    if amount.count:
        print(f"{amount.count:>10}  {size(amount.size_bytes):>10}{of}  {what}")


def fsck(
    quick: Annotated[
        bool, typer.Option("--quick", help="Compare the sizes of blobs, and hash none.")
    ] = False,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
    artifacts: Artifacts = None,
    s3_endpoint_url: S3Endpoint = None,
    as_json: Json = False,
) -> None:
    """Check that every row fits, every file has its bytes, every byte its hash, and the journal.

    \b
    modelkeep fsck
    modelkeep fsck --quick --data-dir /var/lib/modelkeep

    Changes nothing, and may run beside a server. Exit code 0: all is well; 1: it could not finish;
    2: there is damage, and each finding says what to do. JSON: {"sound", "findings": [{"kind",
    "what", "advice", "is_damage"}]}.
    """
    from modelkeep import operations

    with (
        here("fsck", data_dir, database_url, config, artifacts, s3_endpoint_url) as settings,
        Progress() as tell,
    ):
        found = list(operations.examine(settings, tell, quick=quick))
    damage = [finding for finding in found if finding.is_damage]
    if as_json:
        print(json.dumps({"sound": not damage, "findings": [asdict(f) for f in found]}, indent=2))
    else:
        for finding in found[:_SHOWN]:
            mark = "DAMAGE" if finding.is_damage else "note"
            print(plain(f"{mark}  {finding.kind}: {finding.what}\n        {finding.advice}."))
        if len(found) > _SHOWN:
            print(f"… and {len(found) - _SHOWN} more: see --json.")
        print(f"{len(damage)} findings of damage." if damage else "All is well.")
    if damage:
        raise SystemExit(TAMPERED)


def accept_store(
    with_missing: Annotated[
        bool, typer.Option("--with-missing", help="Also if files are not there: they are lost.")
    ] = False,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
    artifacts: Artifacts = None,
    s3_endpoint_url: S3Endpoint = None,
    as_json: Json = False,
) -> None:
    """Take the store of these settings for the registry's, once its files were moved there.

    \b
    modelkeep accept-store --artifacts s3://models/registry
    modelkeep accept-store --database-url postgresql:///registry --data-dir /srv/modelkeep

    A server refuses to start on another store than the one it had. This says that the store has
    moved on purpose: all large files must be there, by name and size. Stop all servers first.
    JSON: {"store", "missing"}.
    """
    from modelkeep import operations

    with here(
        "accept-store", data_dir, database_url, config, artifacts, s3_endpoint_url
    ) as settings:
        store, missing = operations.accept_store(settings, with_missing=with_missing)
    if as_json:
        print(json.dumps({"store": store.where, "missing": missing}))
    else:
        print(plain(f"The registry's large files lie in {store.where} from now on."))
        if missing:
            print(f"{missing} of them are not there: `modelkeep fsck` says of which files.")


def migrate(
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Bring the database to this release, as a server does at its start, and end.

    \b
    modelkeep migrate
    modelkeep migrate --database-url postgresql:///registry

    One at a time does it, and it waits for no other transaction longer than a few seconds at a
    time. A newer release's database is refused.
    JSON: {"schema_before", "schema"}; "schema_before" is empty where there was no database.
    """
    from modelkeep import operations

    with here("migrate", data_dir, database_url, config) as settings:
        before, now = operations.migrate(settings)
    if as_json:
        print(json.dumps({"schema_before": before, "schema": now}))
    elif before == now:
        print(f"The database is at schema {now} already.")
    else:
        print(f"The database is at schema {now}; it was at {before or 'none: it is new'}.")
