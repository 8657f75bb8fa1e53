"""Which stays in stages began past the gates: what marks an emergency wherever stays are told."""

from collections.abc import Mapping, Sequence

from modelkeep.domain.emergencies import Emergency, Status
from modelkeep.ports.registry import Occupancy
from modelkeep.ports.work import Work
from modelkeep.services.placement import stage_slot

Marks = Mapping[int, Emergency]  # the id of a stay -> what began it


def of_stays(work: Work, model_id: int, stays: Sequence[Occupancy]) -> Marks:
    """Of a model's stays, those that began past the gates."""
    if not stays:
        return {}
    found = work.emergencies.of_model(model_id, tuple(Status))
    begun = {(e.version_id, stage_slot(e.target), e.opened_ms): e for e in found}
    keys = {stay.id: (stay.version_id, stay.slot, stay.from_ms) for stay in stays}
    return {stay_id: begun[key] for stay_id, key in keys.items() if key in begun}


def standing(work: Work, model_id: int) -> list[Emergency]:
    """The emergencies of a model whose version is still where it was brought, oldest first."""
    found = work.emergencies.of_model(model_id, tuple(Status))
    slots = {stage_slot(emergency.target) for emergency in found}
    stays = [stay for slot in slots for stay in work.slots.open_stays(model_id, slot)]
    there = {emergency.id for emergency in of_stays(work, model_id, stays).values()}
    return [emergency for emergency in found if emergency.id in there]
