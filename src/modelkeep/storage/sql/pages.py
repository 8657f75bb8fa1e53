"""What belongs to a page of rows (tags, params, …), fetched in a few statements for all of them."""

from collections.abc import Iterator, Sequence

import msgspec

from modelkeep.storage.sql.connection import Db, Row

CHUNK = 500  # owners in one IN list; well below what either database accepts

_pairs = msgspec.json.Decoder(dict[str, str])


def rows_of(
    db: Db,
    select: str,
    project_id: int,
    owners: Sequence[int] | Sequence[str],
    then: str = "",
) -> Iterator[Row]:
    """The rows of `select`, which ends in `… WHERE project_id = ? AND <owner>`, of many owners;
    `then` ends the statement."""
    for start in range(0, len(owners), CHUNK):
        among, params = db.among(owners[start : start + CHUNK])
        yield from db.all(f"{select} {among} {then}", project_id, *params)


def pairs_of(
    db: Db, table: str, owner: str, project_id: int, owners: Sequence[int]
) -> dict[int, dict[str, str]]:
    """Owner -> {key: value}, in the order of the keys, from a table of keys and values."""
    gathered = db.gathered("key", "value")
    select = f"SELECT {owner}, {gathered} FROM {table} WHERE project_id = ? AND {owner}"
    rows = rows_of(db, select, project_id, owners, f"GROUP BY {owner}")
    return {row_owner: in_order(text) for row_owner, text in rows}


def in_order(gathered: str) -> dict[str, str]:
    """Keys and values that were `Db.gathered`, in the order of the keys."""
    pairs = _pairs.decode(gathered)
    keys = sorted(pairs)
    # They mostly come in the order of an index that has it.
    return pairs if keys == list(pairs) else {key: pairs[key] for key in keys}
