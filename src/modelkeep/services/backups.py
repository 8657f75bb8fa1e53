"""Takes a backup while others go on writing, verifies one, restores one.

The rows are read first, as of one moment; then every blob that they name. Blobs never change, and
whoever takes a backup holds a pin meanwhile, which keeps garbage collection from deleting any. So
the backup is of that one moment, whatever is written while it is taken.

A restore puts the blobs in place before the rows that name them, and the rows all at once.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from modelkeep import __version__
from modelkeep.domain import backups
from modelkeep.domain.backups import BLOB_LIST, FORMAT, Backup, Journal, Part, Table, blob_name
from modelkeep.domain.errors import Conflict, IntegrityFailure, ModelkeepError
from modelkeep.domain.events import instant
from modelkeep.domain.merkle import Frontier, leaf_hash
from modelkeep.domain.rows import packed, unpacked
from modelkeep.ports.backups import Loading, Place, Reading, Shape, Snapshot, Writing
from modelkeep.ports.blobs import Blobs
from modelkeep.ports.work import Work

Tell = Callable[[str, int, int], None]  # what is done now, how much of it is done, of how much
_CHECKPOINTS_SINCE = "0009"
_Pages = Iterator[Sequence[Sequence[Any]]]


# -- taking one ----------------------------------------------------------------------------------


def take(
    opened: AbstractContextManager[Snapshot],
    blobs: Blobs,
    writing: Writing,
    keys: Iterable[tuple[str, bytes]],
    at_ms: int,
    tell: Tell,
) -> Backup:
    """Writes a backup. Blobs that the store does not have whole are left out, and named.

    Raises Conflict for a store that cannot be this registry's, Unavailable.
    """
    with opened as snapshot:
        database, schema = snapshot.database, snapshot.schema
        journal = _journal(snapshot.work, schema)
        shapes = snapshot.tables()
        tables: list[Table] = []
        for number, shape in enumerate(shapes):
            tell("rows", number, len(shapes))
            tables.append(_take_table(snapshot, shape, writing))
        named = _lines(snapshot.blobs())  # 75 bytes each: 75 MB for a million of them
    if named and next(blobs.stored(), None) is None:
        raise Conflict(
            "The store is empty, and the registry names blobs that should be in it: see whether "
            "this is the store that the server has (--artifacts). No backup was made."
        )
    lacking = frozenset(_take_blobs(named, blobs, writing, tell))
    whole = [pair for pair in listed((named,)) if pair[0] not in lacking]
    backup = Backup(
        format=FORMAT,
        release=__version__,
        schema=schema,
        database=database,
        made=instant(at_ms),
        journal=journal,
        tables=tuple(tables),
        blobs=len(whole),
        blob_bytes=sum(size for _, size in whole),
        blob_list=writing.add(BLOB_LIST, iter((_lines(whole),))),
        keys=tuple(writing.add(f"keys/{name}", iter((content,))) for name, content in keys),
        damaged=tuple(sorted(lacking)),
    )
    writing.finish(backup.encode())
    return backup


def _journal(work: Work, schema: str) -> Journal:
    size, peaks = work.journal.state()
    note = ""
    if schema >= _CHECKPOINTS_SINCE and (origins := work.checkpoints.origins()):
        newest = work.checkpoints.newest(origins[-1].number)
        note = newest.note if newest else ""
    return Journal(size, Frontier.decode(size, peaks).root.hex(), note)


def _take_table(snapshot: Snapshot, shape: Shape, writing: Writing) -> Table:
    count = 0

    def counted() -> _Pages:
        nonlocal count
        for page in snapshot.pages(shape):
            count += len(page)
            yield page

    part = writing.add(f"tables/{shape.name}.rows", packed(counted()))
    return Table(shape.name, shape.columns, count, part)


def _take_blobs(named: bytes, blobs: Blobs, writing: Writing, tell: Tell) -> Iterator[str]:
    """Writes the blobs that are not there yet; those that are damaged or missing."""
    total, done = sum(size for _, size in listed((named,))), 0
    for sha256, size_bytes in listed((named,)):
        tell("blobs", done, total)
        name = blob_name(sha256)
        if not writing.holds(name, size_bytes):
            try:
                writing.add(name, blobs.read(sha256, size_bytes))
            except IntegrityFailure:
                yield sha256
        done += size_bytes
    tell("blobs", done, total)


def _lines(blobs: Iterable[tuple[str, int]]) -> bytes:
    return b"".join(b"%s %d\n" % (sha256.encode(), size) for sha256, size in blobs)


def listed(chunks: Iterable[bytes]) -> Iterator[tuple[str, int]]:
    """The lines of a list of blobs. Raises IntegrityFailure for what is none."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            sha256, _, size = line.decode("ascii", "replace").partition(" ")
            if len(sha256) != 64 or not size.isdecimal():
                raise IntegrityFailure(f"{BLOB_LIST} has a line that names no blob.")
            yield sha256, int(size)
    if rest:
        raise IntegrityFailure(f"{BLOB_LIST} was cut off.")


# -- verifying one -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Verified:
    """A backup, and what of it is not as its manifest says; nothing, if it is whole."""

    backup: Backup
    digest: str  # of the manifest, which names the digest of everything else
    problems: list[str]


def manifest_of(reading: Reading, expected: str = "") -> tuple[Backup, str]:
    """The manifest and its digest. Raises IntegrityFailure, if another one is expected as well;
    InvalidInput."""
    wanted = backups.parse_digest(expected) if expected else ""
    text = b"".join(reading.read(backups.MANIFEST))
    digest = f"sha256:{hashlib.sha256(text).hexdigest()}"
    if wanted and digest != wanted:
        raise IntegrityFailure(
            f"This is another backup than the one expected: its manifest is {digest}, not {wanted}."
        )
    return backups.decode(text), digest


def verify(reading: Reading, tell: Tell, expected: str = "") -> Verified:
    """Reads all of a backup, and holds it against its manifest.

    Raises IntegrityFailure or InvalidInput for a manifest that cannot be read, or is not the one
    with the digest that is expected.
    """
    backup, digest = manifest_of(reading, expected)
    problems = [f"the blob {sha256} was damaged already when it was taken"
                for sha256 in backup.damaged]  # fmt: skip
    for number, table in enumerate(backup.tables):
        tell("rows", number, len(backup.tables))
        problems += _complaint(lambda table=table: _verify_table(reading, backup, table))
    for key in backup.keys:
        problems += _complaint(lambda key=key: _exhaust(_read(reading, key)))
    done = 0
    try:
        for sha256, size_bytes in listed(_read(reading, backup.blob_list)):
            tell("blobs", done, backup.blob_bytes)
            part = Part(blob_name(sha256), size_bytes, sha256)
            problems += _complaint(lambda part=part: _exhaust(_read(reading, part)))
            done += size_bytes
    except IntegrityFailure as error:
        problems.append(error.message)
    return Verified(backup, digest, problems)


def _verify_table(reading: Reading, backup: Backup, table: Table) -> None:
    count, leaves = 0, []
    is_journal = table.name == "journal_leaves"
    for page in unpacked(_read(reading, table.part)):
        count += len(page)
        if is_journal:
            at, body = table.columns.index("idx"), table.columns.index("body")
            leaves += [(row[at], leaf_hash(row[body])) for row in page]
    if count != table.rows:
        raise IntegrityFailure(f"{table.part.name} has {count} rows instead of {table.rows}.")
    if is_journal:
        frontier = Frontier()
        for _, digest in sorted(leaves):
            frontier = frontier.append(digest)
        if (frontier.size, frontier.root.hex()) != (backup.journal.size, backup.journal.root):
            raise IntegrityFailure("The journal's entries do not give the root that is recorded.")


def _complaint(check: Callable[[], None]) -> list[str]:
    try:
        check()
    except ModelkeepError as error:
        return [error.message]
    return []


def _read(reading: Reading, part: Part) -> Iterator[bytes]:
    """A part's bytes. Raises IntegrityFailure, at the latest at the end, if they are others."""
    digest, size = hashlib.sha256(), 0
    for chunk in reading.read(part.name):
        digest.update(chunk)
        size += len(chunk)
        yield chunk
    if (digest.hexdigest(), size) != (part.sha256, part.size_bytes):
        raise IntegrityFailure(f"{part.name} is damaged.")


def _exhaust(chunks: Iterable[bytes]) -> None:
    for _ in chunks:
        pass


# -- restoring one -------------------------------------------------------------------------------


def restore(reading: Reading, backup: Backup, place: Place, blobs: Blobs, tell: Tell) -> None:
    """Puts everything that a manifest names in its place, but the keys. It can be done again after
    it broke off.

    Raises IntegrityFailure for a damaged backup, InvalidInput for one of a later release,
    Unavailable.
    """
    _restore_blobs(reading, backup, blobs, tell)
    with place.filling(backup.schema) as loading:
        for number, table in enumerate(backup.tables):
            tell("rows", number, len(backup.tables))
            _restore_table(reading, table, loading)
    tell("rows", len(backup.tables), len(backup.tables))


def _restore_table(reading: Reading, table: Table, loading: Loading) -> None:
    pages = unpacked(_read(reading, table.part))
    count = loading.load(Shape(table.name, table.columns), pages)
    if count != table.rows:
        raise IntegrityFailure(f"{table.part.name} has {count} rows instead of {table.rows}.")


def _restore_blobs(reading: Reading, backup: Backup, blobs: Blobs, tell: Tell) -> None:
    """Stores the blobs that the store lacks: it and the list are both in order."""
    there, done = blobs.stored(), 0
    found = next(there, None)
    for sha256, size_bytes in listed(_read(reading, backup.blob_list)):
        tell("blobs", done, backup.blob_bytes)
        while found and found.sha256 < sha256:
            found = next(there, None)
        if not (found and (found.sha256, found.size_bytes) == (sha256, size_bytes)):
            _restore_blob(reading, Part(blob_name(sha256), size_bytes, sha256), blobs)
        done += size_bytes


def _restore_blob(reading: Reading, part: Part, blobs: Blobs) -> None:
    upload = blobs.begin()
    try:
        for chunk in _read(reading, part):
            upload.write([chunk])
        upload.finish()
    except BaseException:
        upload.abandon()
        raise


def read_key(reading: Reading, part: Part) -> bytes:
    """A key that is in the backup. Raises IntegrityFailure."""
    return b"".join(_read(reading, part))
