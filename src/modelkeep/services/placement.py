"""Puts versions into stages and aliases, and keeps everything that says so in step.

A shift changes the versions' stages, the slots' epochs and holders and the stays in one stroke,
and returns what it was before and after, in the words of the journal.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from modelkeep.domain.endings import OVER
from modelkeep.domain.models import NO_STAGE, Move, SlotKey, Version
from modelkeep.ports.registry import Occupancy
from modelkeep.ports.work import Work


@dataclass(frozen=True, slots=True)
class AliasMove:
    """An alias points to a version (by id) from now on, or, with None, to nothing."""

    alias: str
    version_id: int | None


@dataclass(frozen=True, slots=True)
class Shift:
    """What a shift did: facts for the journal, and the new epoch of every slot it touched."""

    before: dict[str, Any]
    after: dict[str, Any]
    epochs: dict[SlotKey, int]


def stage_slot(stage: str) -> SlotKey:
    return SlotKey("stage", stage)


def alias_slot(alias: str) -> SlotKey:
    return SlotKey("alias", alias)


def shift(
    work: Work,
    model_id: int,
    moves: Sequence[Move],
    aliases: Sequence[AliasMove] = (),
    *,
    approved: bool = False,
    back_to: Occupancy | None = None,
    known: Version | None = None,
) -> Shift:
    """Carries out moves between stages and of aliases, all in the same moment.

    `approved` says that the last mover was let in by a policy's gates. `back_to` is the stay that
    a rollback returns to: the next rollback goes on from there, further back, to nothing in the
    end. Without one, a rollback will return to whoever is or was last in the slot. `known` is a
    version that need not be looked up.
    """
    numbers = _Numbers(work, known)
    before: dict[str, Any] = {"stages": [], "slots": []}
    after: dict[str, Any] = {"stages": [], "slots": []}
    epochs: dict[SlotKey, int] = {}
    for slot in _touched(moves):
        leave = [m.version_id for m in moves if m.source == slot.name and m.source != m.target]
        enter = [m.version_id for m in moves if m.target == slot.name and m.source != m.target]
        was = work.slots.now(model_id, slot)
        before["slots"].append({"slot": str(slot), "epoch": was.epoch})
        last = work.slots.last_stay(was)
        prior = last
        if back_to and back_to.slot == slot:
            prior = work.slots.stay(back_to.prior_id) if back_to.prior_id else None
        let_in = approved and slot.name == moves[-1].target
        epochs[slot] = work.slots.change(
            model_id,
            was,
            leave=leave,
            enter=enter,
            at_ms=work.now_ms,
            approved=let_in,
            prior_id=prior.id if prior else None,
        )
        entered = {"approved": let_in, "prior": _named(prior)} if enter else {}
        after["slots"].append({"slot": str(slot), "epoch": epochs[slot], **entered})
    for move in moves:
        work.versions.set_stage(move.version_id, move.target, work.now_ms)
        number = numbers[move.version_id]
        before["stages"].append({"version": number, "stage": move.source})
        after["stages"].append({"version": number, "stage": move.target})
    if moves:
        work.models.touch(model_id, work.now_ms)
    for move in aliases:
        _move_alias(work, model_id, move, numbers, before, after, epochs)
    return Shift(before, after, epochs)


def _named(stay: Occupancy | None) -> dict[str, int] | None:
    """A stay in a slot, as the journal names it."""
    return {"version": stay.number, "epoch": stay.epoch} if stay else None


def release(work: Work, model_id: int, version: Version) -> Shift:
    """Takes a version out of its stage and every alias that points to it, as a delete does."""
    moves = [Move(version.id, version.stage, NO_STAGE)] if version.stage != NO_STAGE else []
    return shift(work, model_id, moves, [AliasMove(alias, None) for alias in version.aliases])


def prior_stays(work: Work, current: Occupancy) -> Iterator[Occupancy]:
    """The stays that a rollback of the one in a slot can return to, the next one first.

    They pass over versions that are deleted, blocked or retired by now, and over the one that holds
    the slot.
    """
    prior = work.slots.stay(current.prior_id) if current.prior_id else None
    while prior:
        is_gone = prior.deleted or prior.state in OVER
        if not is_gone and prior.version_id != current.version_id:
            yield prior
        prior = work.slots.stay(prior.prior_id) if prior.prior_id else None


def _touched(moves: Sequence[Move]) -> list[SlotKey]:
    names = [stage for m in moves for stage in (m.source, m.target) if m.source != m.target]
    return [stage_slot(name) for name in dict.fromkeys(names) if name != NO_STAGE]


def _move_alias(
    work: Work,
    model_id: int,
    move: AliasMove,
    numbers: "_Numbers",
    before: dict[str, Any],
    after: dict[str, Any],
    epochs: dict[SlotKey, int],
) -> None:
    slot = alias_slot(move.alias)
    was = work.slots.now(model_id, slot)
    if was.holder == move.version_id:
        return
    before["slots"].append({"slot": str(slot), "epoch": was.epoch, "version": was.number})
    epochs[slot] = work.slots.change(
        model_id,
        was,
        leave=[was.holder] if was.holder else [],
        enter=[move.version_id] if move.version_id else [],
        at_ms=work.now_ms,
    )
    number = numbers[move.version_id] if move.version_id else None
    after["slots"].append({"slot": str(slot), "epoch": epochs[slot], "version": number})


class _Numbers:
    """Version ids to numbers, each looked up once."""

    def __init__(self, work: Work, known: Version | None) -> None:
        self._work = work
        self._known = {known.id: known.number} if known else {}

    def __getitem__(self, version_id: int) -> int:
        if version_id not in self._known:
            version = self._work.versions.by_id(version_id)
            assert version is not None
            self._known[version_id] = version.number
        return self._known[version_id]
