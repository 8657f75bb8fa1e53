"""The policy of a group: setting it, reading it, taking it away. The journal has its digest."""

from modelkeep.domain import sharing
from modelkeep.domain.access import Caller
from modelkeep.domain.events import Event
from modelkeep.domain.models import Model
from modelkeep.domain.papers import digest_of
from modelkeep.domain.sharing import Group, Place
from modelkeep.ports.sharing import GroupPolicy
from modelkeep.ports.work import Work
from modelkeep.services import groups


def put(work: Work, caller: Caller, handle: str, body: str, at: Place) -> None:
    """The same one again changes nothing. Raises NotFound; InvalidInput for what is no policy, or
    not of this group."""
    model = groups.get(work, handle)
    parsed = sharing.parse(body)
    sharing.check(parsed, Group(handle, at, model.tags))
    known, sha256 = work.group_policies.get(model.id), digest_of(body)
    if known and known.sha256 == sha256:
        return
    policy = GroupPolicy(body, sha256, caller.actor.name, work.now_ms)
    work.group_policies.put(model.id, policy, sorted(parsed.accounts))
    _record(work, caller, model, "model:policy:set", {"sha256": sha256})


def get(work: Work, handle: str) -> GroupPolicy | None:
    """None for a group without one. Raises NotFound."""
    return work.group_policies.get(groups.get(work, handle).id)


def delete(work: Work, caller: Caller, handle: str) -> bool:
    """Whether there was one. Raises NotFound."""
    model = groups.get(work, handle)
    is_gone = work.group_policies.delete(model.id)
    if is_gone:
        _record(work, caller, model, "model:policy:deleted", {})
    return is_gone


def _record(work: Work, caller: Caller, model: Model, action: str, after: dict[str, str]) -> None:
    event = Event(action, {"model": model.id, "name": model.name}, after=after)
    work.record(caller, event, model_id=model.id)
