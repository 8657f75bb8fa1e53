"""Slots, and the stays in them: who held what, from when until when."""

from collections.abc import Sequence

from modelkeep.domain.endings import State
from modelkeep.domain.models import SlotKey
from modelkeep.ports.registry import Occupancy, SlotNow
from modelkeep.storage.sql.connection import Db, Row

_STAY = (
    "SELECT o.id, s.kind, s.name, o.version_id, v.number, o.epoch, o.from_ms, o.until_ms,"
    " o.approved, o.prior_id, v.deleted_ms IS NOT NULL, v.state"
    " FROM occupancies o JOIN slots s ON s.id = o.slot_id JOIN versions v ON v.id = o.version_id"
)


class SqlSlots:
    """See `ports.registry.Slots`."""

    def __init__(self, db: Db, project_id: int) -> None:
        self._db, self._project_id = db, project_id

    def now(self, model_id: int, slot: SlotKey) -> SlotNow:
        row = self._db.one(
            "SELECT s.id, s.epoch, s.version_id, v.number FROM slots s"
            " LEFT JOIN versions v ON v.id = s.version_id"
            " WHERE s.project_id = ? AND s.model_id = ? AND s.kind = ? AND s.name = ?",
            self._project_id,
            model_id,
            slot.kind,
            slot.name,
        )
        return SlotNow(slot, *row) if row else SlotNow(slot)

    def epoch(self, model_id: int, slot: SlotKey) -> int:
        return self.now(model_id, slot).epoch

    def alias_holder(self, model_id: int, alias: str) -> int | None:
        return self.now(model_id, SlotKey("alias", alias)).holder

    def change(
        self,
        model_id: int,
        was: SlotNow,
        *,
        leave: Sequence[int],
        enter: Sequence[int],
        at_ms: int,
        approved: bool = False,
        prior_id: int | None = None,
    ) -> int:
        slot_id = was.id or self._create(model_id, was.key)
        epoch = was.epoch + 1
        for version_id in leave:
            self._db.later(
                "UPDATE occupancies SET until_ms = ?, until_epoch = ?"
                " WHERE slot_id = ? AND version_id = ? AND until_ms IS NULL",
                at_ms,
                epoch,
                slot_id,
                version_id,
            )
        for version_id in enter:
            self._db.later(
                "INSERT INTO occupancies"
                " (project_id, slot_id, version_id, epoch, from_ms, approved, prior_id)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                self._project_id,
                slot_id,
                version_id,
                epoch,
                at_ms,
                int(approved),
                prior_id,
            )
        # Only an alias holds one version by nature; who is in a stage, the versions say.
        holder = enter[0] if enter and was.key.kind == "alias" else None
        self._db.later(
            "UPDATE slots SET epoch = ?, version_id = ? WHERE id = ?", epoch, holder, slot_id
        )
        return epoch

    def last_stay(self, slot: SlotNow) -> Occupancy | None:
        if slot.id is None:
            return None
        row = self._db.one(
            f"{_STAY} WHERE o.slot_id = ? AND o.until_ms IS NULL ORDER BY o.id DESC LIMIT 1",
            slot.id,
        ) or self._db.one(
            f"{_STAY} WHERE o.slot_id = ? AND o.until_epoch IS NOT NULL"
            " ORDER BY o.until_epoch DESC LIMIT 1",
            slot.id,
        )
        return _stay(row) if row else None

    def open_stays(self, model_id: int, slot: SlotKey) -> list[Occupancy]:
        rows = self._db.all(
            f"{_STAY} WHERE s.project_id = ? AND s.model_id = ? AND s.kind = ? AND s.name = ?"
            " AND o.until_ms IS NULL ORDER BY o.id",
            self._project_id,
            model_id,
            slot.kind,
            slot.name,
        )
        return [_stay(row) for row in rows]

    def stay(self, occupancy_id: int) -> Occupancy | None:
        row = self._db.one(f"{_STAY} WHERE o.id = ?", occupancy_id)
        return _stay(row) if row else None

    def was_rolled_back(self, stay: Occupancy) -> bool:
        # Whoever takes another's place can return to it, or to one that came later.
        row = self._db.one(
            "SELECT 1 FROM occupancies o JOIN occupancies n ON n.slot_id = o.slot_id"
            " AND n.epoch = o.until_epoch WHERE o.id = ?"
            " AND (n.prior_id IS NULL OR n.prior_id < o.id)",
            stay.id,
        )
        return row is not None

    def at(self, model_id: int, at_ms: int) -> list[Occupancy]:
        rows = self._db.all(
            f"{_STAY} WHERE s.project_id = ? AND s.model_id = ? AND o.from_ms <= ?"
            " AND (o.until_ms IS NULL OR o.until_ms > ?) ORDER BY s.kind DESC, s.name, v.number",
            self._project_id,
            model_id,
            at_ms,
            at_ms,
        )
        return [_stay(row) for row in rows]

    def of_version(self, version_id: int, limit: int) -> list[Occupancy]:
        rows = self._db.all(
            f"{_STAY} WHERE s.project_id = ? AND o.version_id = ?"
            " ORDER BY o.until_ms IS NULL DESC, o.id DESC LIMIT ?",
            self._project_id,
            version_id,
            limit,
        )
        return [_stay(row) for row in rows]

    def _create(self, model_id: int, slot: SlotKey) -> int:
        row = self._db.one(
            "INSERT INTO slots (project_id, model_id, kind, name, epoch) VALUES (?, ?, ?, ?, 0)"
            " RETURNING id",
            self._project_id,
            model_id,
            slot.kind,
            slot.name,
        )
        assert row is not None
        return row[0]


def _stay(row: Row) -> Occupancy:
    return Occupancy(
        id=row[0],
        slot=SlotKey(row[1], row[2]),
        version_id=row[3],
        number=row[4],
        epoch=row[5],
        from_ms=row[6],
        until_ms=row[7],
        approved=bool(row[8]),
        prior_id=row[9],
        deleted=bool(row[10]),
        state=State(row[11]),
    )
