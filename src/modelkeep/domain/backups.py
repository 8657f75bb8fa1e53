"""What a backup consists of, and what it says of itself.

A backup holds the rows of every table, as of one moment; every blob that those rows name; and, if
that was asked for, the keys of the data directory. `manifest.json` lists all of it by digest and
is written last: what has none is no backup yet.

The key that signs the journal is in no backup: a copy that can sign could contradict what was
signed after it was taken. Whoever restores gives the key back, with the checkpoint beside it, or
begins a new origin (`modelkeep audit fork`).

NOTE: a later release must read every format that an earlier one wrote.
"""

import re
from dataclasses import dataclass

import msgspec

from modelkeep.domain.errors import IntegrityFailure, InvalidInput

FORMAT = "modelkeep-backup/1"
MANIFEST = "manifest.json"
BLOB_LIST = "blobs.list"  # lines of "<SHA-256> <size in bytes>", by SHA-256
KEYS = ("secrets.key", "signing.key")  # of webhooks' secrets, and of presigned addresses
_SHA256 = re.compile("[0-9a-f]{64}")
_WORD = re.compile("[a-z_][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Part:
    """A file of a backup, by its name in it."""

    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table's rows, in a part of their own: see `storage.sql.rows`."""

    name: str
    columns: tuple[str, ...]
    rows: int
    part: Part


@dataclass(frozen=True, slots=True)
class Journal:
    """Where the journal stood: how many entries, their root in hex, the newest signed note."""

    size: int
    root: str
    checkpoint: str


@dataclass(frozen=True, slots=True)
class Backup:
    """The manifest. `tables` come in an order in which each refers to earlier ones only.

    `damaged` are the blobs that the rows name and the store did not have whole: they are not in
    the backup.
    """

    format: str
    release: str
    schema: str
    database: str
    made: str
    journal: Journal
    tables: tuple[Table, ...]
    blobs: int
    blob_bytes: int
    blob_list: Part
    keys: tuple[Part, ...]
    damaged: tuple[str, ...]

    def encode(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"


def decode(text: bytes) -> Backup:
    """Raises InvalidInput for a format of a later release, IntegrityFailure for what is none."""
    try:
        said = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        named = msgspec.json.decode(said.get("format", b'""'), type=str)
        if named.startswith("modelkeep-backup/") and named != FORMAT:
            raise InvalidInput(f"The backup has the format {named}: take the release of it.")
        backup = msgspec.json.decode(text, type=Backup)
    except msgspec.DecodeError as error:
        raise IntegrityFailure(f"{MANIFEST} cannot be read: {error}.") from None
    if backup.format != FORMAT:
        raise IntegrityFailure(f"{MANIFEST} is not a backup's.")
    for table in backup.tables:  # the names go into SQL
        if not all(map(_WORD.fullmatch, (table.name, *table.columns))):
            raise IntegrityFailure(f"{MANIFEST} names a table that cannot be.")
    return backup


def parse_digest(text: str) -> str:
    """A manifest's digest, as it was told, with `sha256:` or without. Raises InvalidInput."""
    sha256 = text.strip().lower().removeprefix("sha256:")
    if not _SHA256.fullmatch(sha256):
        raise InvalidInput(
            f"The expected digest must be sha256: and 64 hexadecimal digits, got {text!r}."
        )
    return f"sha256:{sha256}"


def blob_name(sha256: str) -> str:
    return f"blobs/{sha256[:2]}/{sha256}"
