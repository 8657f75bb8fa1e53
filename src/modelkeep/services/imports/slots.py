"""Puts imported versions where they stood, through the gates that any other caller goes through.

Whatever was moved here since it was placed by an import stays where it was moved.
"""

from modelkeep.domain import imports
from modelkeep.domain.access import Caller
from modelkeep.domain.errors import Conflict
from modelkeep.domain.imports import End, Outcome, Record
from modelkeep.domain.models import NO_STAGE, Version
from modelkeep.ports.work import Work
from modelkeep.services import promotion, steps
from modelkeep.services.catalog import locate, model_id_of
from modelkeep.services.imports.records import importing, note
from modelkeep.services.policies import lifecycle_of
from modelkeep.services.promotion import Order

NOWHERE = ""  # what an alias points to before there is one
_MOVED_HERE = "it was moved here since, and left where it is"
_ENDS = {steps.End.WAITING: End.WAITING, steps.End.REFUSED: End.REFUSED}


def place(
    work: Work, caller: Caller, origin: str, model: str, number: int, stage: str, reason: str = ""
) -> Outcome:
    """Asks for the stage that a version has at its source.

    Raises NotFound; InvalidInput; Conflict for a version that was not imported.
    """
    imports.check_origin(origin)
    caller = importing(caller, origin)
    version = _imported(work, model, number)
    wanted = lifecycle_of(work, model).stage_named(stage)
    key, base = f"{model}/{number}", work.imports.find("stage", str(version.id))
    before = base.digest if base else NO_STAGE
    if version.stage == wanted:
        end, reason = End.UNCHANGED, ""
    elif version.stage != before:
        return Outcome(key, End.KEPT, f"it is in {version.stage}: {_MOVED_HERE}")
    else:
        result = promotion.request(work, caller, Order(model, number, wanted, reason))
        end, reason = _ended(result, base)
    if end not in _ENDS.values() and (base or wanted != NO_STAGE):
        note(work, caller, "stage", version.id, origin, wanted)
    return Outcome(key, end, reason)


def point(
    work: Work, caller: Caller, origin: str, model: str, alias: str, number: int | None
) -> Outcome:
    """Points an alias where it points at its source; None takes away one that an import has set.

    Raises NotFound, InvalidInput; Conflict for a version that was not imported.
    """
    imports.check_origin(origin)
    caller = importing(caller, origin)
    model_id, key = model_id_of(work, model), f"{model}@{alias}"
    holder = work.slots.alias_holder(model_id, alias)
    held = work.versions.by_id(holder) if holder else None
    base = work.imports.find("alias", f"{model_id}:{alias}")
    wanted, found = str(number or NOWHERE), str(held.number) if held else NOWHERE
    if number is None and base is None:  # it was made here, and is no import's business
        return Outcome(key, End.UNCHANGED)
    if found == wanted:
        end, reason = End.UNCHANGED, ""
    elif found != (base.digest if base else NOWHERE):
        return Outcome(key, End.KEPT, f"it points to version {found or 'none'}: {_MOVED_HERE}")
    elif number is None:
        end, reason = _ended(promotion.delete_alias(work, caller, model, alias), base)
    else:
        _imported(work, model, number)
        result = promotion.set_alias(work, caller, model, alias, number)
        end, reason = _ended(result, base)
    if end not in _ENDS.values():
        note(work, caller, "alias", f"{model_id}:{alias}", origin, wanted)
    return Outcome(key, end, reason)


def _imported(work: Work, model: str, number: int) -> Version:
    version = locate(work, model, number)
    if work.imports.find("version", str(version.id)) is None:
        raise Conflict(f"Version {number} of {model} is this server's own.")
    return version


def _ended(result: steps.Result | None, base: Record | None) -> tuple[End, str]:
    if result is None or result.is_done:
        return End.CHANGED if base else End.CREATED, ""
    return _ENDS[result.end], result.message
