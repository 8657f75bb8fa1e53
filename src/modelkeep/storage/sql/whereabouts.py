"""The store that the database's large files lie in."""

from modelkeep.ports.whereabouts import Whereabouts
from modelkeep.storage.sql.connection import Db

SINCE = "0024"  # the schema that remembers it


class SqlStores:
    """See `ports.whereabouts.Stores`."""

    def __init__(self, db: Db, project_id: int) -> None:
        self._db, self._project_id = db, project_id

    def get(self) -> Whereabouts | None:
        row = self._db.one(
            "SELECT place, mark, is_marked FROM stores WHERE project_id = ?", self._project_id
        )
        return Whereabouts(row[0], row[1], bool(row[2])) if row else None

    def put(self, store: Whereabouts) -> None:
        self._db.later(
            "INSERT INTO stores (project_id, place, mark, is_marked) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (project_id) DO UPDATE SET place = excluded.place,"
            " mark = excluded.mark, is_marked = excluded.is_marked",
            self._project_id,
            store.where,
            store.mark,
            int(store.is_marked),
        )
