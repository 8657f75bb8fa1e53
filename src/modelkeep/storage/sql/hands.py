"""Who had a hand in what others made."""

from collections.abc import Collection

from modelkeep.domain.access import person
from modelkeep.domain.hands import Deed, Hand, Thing
from modelkeep.storage.sql.connection import Db


class SqlHands:
    """See `ports.hands.Hands`."""

    def __init__(self, db: Db, project_id: int) -> None:
        self._db, self._project_id = db, project_id

    def add(self, subject: str, hand: Hand, at_ms: int) -> None:
        self._db.run(
            "INSERT INTO hands (project_id, kind, subject, person, deed, name, at_ms)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (project_id, kind, subject, person, deed) DO NOTHING",
            self._project_id,
            hand.thing.value,
            subject,
            person(hand.name),
            hand.deed.value,
            hand.name,
            at_ms,
        )

    def of(self, subjects: Collection[tuple[Thing, str]]) -> list[Hand]:
        if not subjects:
            return []
        tests = " OR ".join(["(project_id = ? AND kind = ? AND subject = ?)"] * len(subjects))
        params = [part for kind, of in subjects for part in (self._project_id, kind.value, of)]
        rows = self._db.all(
            f"SELECT kind, name, deed FROM hands WHERE {tests} ORDER BY id", *params
        )
        return [Hand(Thing(kind), name, Deed(deed)) for kind, name, deed in rows]
