"""What the slots of a model hold now, with the epochs that a move may name."""

from dataclasses import dataclass

from modelkeep.domain.models import NO_STAGE, SlotKey
from modelkeep.ports.registry import Occupancy
from modelkeep.ports.work import Work
from modelkeep.services import marks, registry
from modelkeep.services.marks import Marks
from modelkeep.services.placement import alias_slot, stage_slot
from modelkeep.services.policies import lifecycle_of


@dataclass(frozen=True, slots=True)
class Held:
    """A slot, its open stays and the emergencies among them. `epoch` is 0 for one that never held
    a version."""

    slot: SlotKey
    epoch: int
    stays: list[Occupancy]
    past_gates: Marks


def of_model(work: Work, name: str) -> list[Held]:
    """Every stage that is a slot, then every alias that is set. Raises NotFound."""
    model = registry.get_model(work, name)
    cycle = lifecycle_of(work, name)
    stages = [stage_slot(stage) for stage in cycle.stages if stage != NO_STAGE]
    aliases = [alias_slot(alias) for alias in sorted(model.aliases)]
    held = {slot: work.slots.open_stays(model.id, slot) for slot in (*stages, *aliases)}
    past = marks.of_stays(work, model.id, [stay for found in held.values() for stay in found])
    return [Held(s, work.slots.epoch(model.id, s), found, past) for s, found in held.items()]
