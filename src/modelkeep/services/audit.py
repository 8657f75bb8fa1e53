"""The journal for verifiers: everything it says and everything the tables say, of one moment."""

import json
from collections.abc import Iterator
from typing import IO, Any

from modelkeep.ports.work import Work

PAGE = 1_000  # entries read at a time


def export(work: Work) -> Iterator[dict[str, Any]]:
    """The lines of an export, all from one moment: a head, the signed checkpoints by their sizes,
    the entries in order, the tables.

    Head: {"kind": "head", "size": int, "peaks": hex}. Checkpoint: {"kind": "checkpoint", "vkey":
    the key of its origin, "at_ms": when it was signed, "note": text}. Entry: {"kind": "entry",
    "index", "at_ms", "model", "body": text, "hash": hex, "root": hex, "texts": {field: [salt,
    text]}}. Row: {"kind": "row", "table": name, "row": {…}}. End: {"kind": "end"}, without which
    the export was cut off.
    """
    size, peaks = work.journal.state()
    yield {"kind": "head", "size": size, "peaks": peaks.hex()}
    keys = {origin.number: origin.vkey for origin in work.checkpoints.origins()}
    for signed in work.checkpoints.all():
        yield {
            "kind": "checkpoint",
            "vkey": keys.get(signed.origin, ""),
            "at_ms": signed.at_ms,
            "note": signed.note,
        }
    start = -(2**63)  # what somebody put before the first entry must not go unseen
    while page := work.journal.entries(start, PAGE):
        for entry in page:
            yield {
                "kind": "entry",
                "index": entry.index,
                "at_ms": entry.at_ms,
                "model": entry.model_id,
                "body": entry.body.decode(errors="replace"),
                "hash": entry.hash.hex(),
                "root": entry.root.hex(),
                "texts": entry.texts,
            }
        start = page[-1].index + 1
    for table, row in work.journal.tables():
        yield {"kind": "row", "table": table, "row": row}
    yield {"kind": "end"}


def write_export(work: Work, file: IO[bytes]) -> None:
    """Writes the export to a file, as lines of JSON."""
    for line in export(work):
        file.write(json.dumps(line).encode() + b"\n")
