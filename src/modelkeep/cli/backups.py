"""The commands that take, verify and restore backups: beside a server or without one."""

import json
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from modelkeep.cli.client import TAMPERED, plain
from modelkeep.cli.options import Artifacts, Config, DatabaseUrl, DataDir, Json, S3Endpoint
from modelkeep.cli.starting import here
from modelkeep.cli.tables import size

TELL_EVERY_S = 5.0  # where nobody watches
_LISTED = 20  # problems told of to a person


class _CreateByDefault(TyperGroup):
    """`backup PLACE` is short for `backup create PLACE`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] != "--help" and args[0] not in self.commands:
            args = ["create", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_CreateByDefault,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Take a backup: `modelkeep backup PLACE`. Verify one: `modelkeep backup verify PLACE`.",
)
Expect = Annotated[
    str,
    typer.Option(
        metavar="DIGEST", help="The manifest's digest, as `backup` printed it: no other will do."
    ),
]
Backup = Annotated[Path, typer.Argument(metavar="BACKUP", help="A folder, or a file of tar.")]


@app.command()
def create(
    target: Annotated[Path, typer.Argument(metavar="PLACE", help="A new folder, or NAME.tar.")],
    since: Annotated[
        Path | None,
        typer.Option(help="An earlier backup, a folder: what it has is linked, not copied."),
    ] = None,
    with_keys: Annotated[
        bool,
        typer.Option("--with-keys", help="Put secrets.key and signing.key into it, as they are."),
    ] = False,
    no_verify: Annotated[
        bool, typer.Option("--no-verify", help="Do not read it back afterwards.")
    ] = False,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
    artifacts: Artifacts = None,
    s3_endpoint_url: S3Endpoint = None,
    as_json: Json = False,
) -> None:
    """Take a backup of everything, as of one moment, while the server serves.

    \b
    modelkeep backup create /backups/monday
    modelkeep backup create /backups/tuesday --since /backups/monday
    modelkeep backup create all.tar --with-keys

    The word `create` may be left out. The backup is named PLACE only when it is whole; a try that
    broke off leaves PLACE.partial, and the next one goes on from there. Exit code 2: blobs were
    damaged already, and are not in it.

    JSON: {"backup", "manifest", "schema", "database", "made", "journal": {"entries", "root",
    "checkpoint"}, "rows", "blobs", "blob_bytes", "keys", "problems"}.
    """
    from modelkeep import operations

    with (
        here("backup", data_dir, database_url, config, artifacts, s3_endpoint_url) as settings,
        Progress() as tell,
    ):
        operations.back_up(settings, target, since, with_keys=with_keys, tell=tell)
        verified = operations.describe_backup(target) if no_verify else _verified(target, tell)
    _settle(target, verified, as_json)


@app.command()
def verify(backup: Backup, expect: Expect = "", as_json: Json = False) -> None:
    """Read all of a backup and hold it against its manifest. Exit code 2: it is damaged.

    \b
    modelkeep backup verify /backups/monday
    modelkeep backup verify /backups/monday --expect sha256:9f86d081…

    With --expect a backup that was put in the place of another, though whole, is refused: code 2.

    JSON: {"backup", "manifest", "schema", "database", "made", "journal": {"entries", "root",
    "checkpoint"}, "rows", "blobs", "blob_bytes", "keys", "problems"}.
    """
    with here("backup verify"), Progress() as tell:
        verified = _verified(backup, tell, expect)
    _settle(backup, verified, as_json)


def restore(
    backup: Backup,
    force: Annotated[
        bool, typer.Option("--force", help="Into a folder in use: its database is put aside.")
    ] = False,
    expect: Expect = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
    artifacts: Artifacts = None,
    s3_endpoint_url: S3Endpoint = None,
    as_json: Json = False,
) -> None:
    """Put a backup into an empty data directory and, with --database-url, an empty database.

    \b
    modelkeep restore /backups/monday --data-dir /var/lib/modelkeep
    modelkeep restore /backups/monday --expect sha256:9f86d081…

    A backup from SQLite may go into PostgreSQL, and back. No server may be running there, and
    none starts before all is in place; what broke off is done again by the same command. JSON:
    {"restored", "made", "journal_entries", "damaged"}. Exit code 2: blobs were damaged already when
    the backup was taken, and are lacking; or, with nothing done, it is not the backup that --expect
    means.
    """
    from modelkeep import operations

    with (
        here("restore", data_dir, database_url, config, artifacts, s3_endpoint_url) as settings,
        Progress() as tell,
    ):
        restored = operations.restore(settings, backup, force=force, tell=tell, expected=expect)
    if as_json:
        print(json.dumps({"restored": str(settings.data_dir), "made": restored.made,
                          "journal_entries": restored.journal.size,
                          "damaged": list(restored.damaged)}, indent=2))  # fmt: skip
        _lament(restored)
        return
    print(f"Restored what there was at {restored.made}: {restored.journal.size} entries of the "
          f"journal, {restored.blobs} blobs.")  # fmt: skip
    print(
        "Checkpoints are signed again only by the journal's own key, with journal.checkpoint beside"
        " it, and only if nothing later was signed; else after `modelkeep audit fork --reason …`."
    )
    _lament(restored)


def _lament(restored: Any) -> None:
    if restored.damaged:
        print(
            f"{len(restored.damaged)} blobs were damaged already when the backup was taken, and "
            "are lacking: `modelkeep fsck` says of which files.",
            file=sys.stderr,
        )
        raise SystemExit(TAMPERED)


def _verified(source: Path, tell: "Progress", expected: str = "") -> Any:
    from modelkeep import operations

    return operations.verify_backup(source, tell, expected)


def _settle(target: Path, verified: Any, as_json: bool) -> None:
    backup, problems = verified.backup, verified.problems
    if as_json:
        print(json.dumps(_told(target, verified), indent=2))
    else:
        print(plain(f"{target}: schema {backup.schema} from {backup.database}, {backup.made}"))
        print(f"{sum(t.rows for t in backup.tables)} rows, {backup.blobs} blobs of "
              f"{size(backup.blob_bytes)}, journal of {backup.journal.size} entries")  # fmt: skip
        keys = ", ".join(key.name.removeprefix("keys/") for key in backup.keys) or "none"
        print(f"Keys in it: {keys}. The key that signs the journal never is.")
        print(f"Manifest {verified.digest} (keep it elsewhere: --expect)")
        for problem in problems[:_LISTED]:
            print(plain(f"DAMAGED: {problem}"))
        if len(problems) > _LISTED:
            print(f"… and {len(problems) - _LISTED} more: see --json.")
    if problems:
        raise SystemExit(TAMPERED)


def _told(target: Path, verified: Any) -> dict[str, Any]:
    backup = verified.backup
    return {
        "backup": str(target),
        "manifest": verified.digest,
        "schema": backup.schema,
        "database": backup.database,
        "made": backup.made,
        "journal": {"entries": backup.journal.size, "root": backup.journal.root,
                    "checkpoint": backup.journal.checkpoint},
        "rows": sum(table.rows for table in backup.tables),
        "blobs": backup.blobs,
        "blob_bytes": backup.blob_bytes,
        "keys": [key.name.removeprefix("keys/") for key in backup.keys],
        "problems": verified.problems,
    }  # fmt: skip


class Progress:
    """Says now and then, on standard error, how far long work has come."""

    def __init__(self) -> None:
        self._last_s = time.monotonic()
        self._watched = sys.stderr.isatty()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self._watched:
            print("\r\x1b[K", end="", file=sys.stderr)

    def __call__(self, what: str, done: int, total: int) -> None:
        now_s = time.monotonic()
        if now_s - self._last_s < (0.1 if self._watched else TELL_EVERY_S):
            return
        self._last_s = now_s
        share = f"{100 * done // total} %" if total else str(done)
        start, end = ("\r\x1b[K", "") if self._watched else ("", "\n")
        print(f"{start}{what}: {share}", end=end, file=sys.stderr, flush=True)
