"""Who asked for a move, a vote or an emergency that no grant of theirs allows, in the journal.

Such a call reaches no use case, so that nothing else would tell of it. The same again is recorded
once an hour by each process: an account cannot fill the journal with what it may not do.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable

from modelkeep.domain.access import Caller, Verb, person
from modelkeep.domain.errors import ModelkeepError
from modelkeep.domain.events import Event
from modelkeep.ports.work import Work
from modelkeep.services import permits
from modelkeep.services.app import App
from modelkeep.services.permits import Need

FOLDED_MS = 3_600_000
REMEMBERED = 10_000  # denials that are not repeated meanwhile
_GUARDED = frozenset((Verb.PROMOTE, Verb.APPROVE, Verb.DEPLOY, Verb.ADMIN))

_log = logging.getLogger(__name__)


class Denials:
    """Records what the present call was denied, by `note`."""

    def __init__(self, app: App, now_ms: Callable[[], int]) -> None:
        self._app, self._now_ms = app, now_ms
        self._noted: OrderedDict[tuple[str, Verb, str], int] = OrderedDict()

    async def note(self, caller: Caller) -> None:
        """Returns once it is in the journal; a journal that cannot be written changes no answer."""
        for need in permits.denied():
            if need.verb in _GUARDED:
                try:
                    await self._note(caller, need)
                except ModelkeepError:
                    _log.exception("a denial was not recorded")

    async def _note(self, caller: Caller, need: Need) -> None:
        name = await self._app.read(need.find) if need.find else need.model
        if not name:
            return
        key, now = (person(caller.actor.name), need.verb, name), self._now_ms()
        if now - self._noted.get(key, -FOLDED_MS) < FOLDED_MS:
            return
        await self._app.write(record, caller, need.verb, name)
        self._noted[key] = now
        if len(self._noted) > REMEMBERED:
            self._noted.popitem(last=False)


def record(work: Work, caller: Caller, verb: Verb, name: str) -> None:
    """Of a model that does not exist there is nothing to tell."""
    model = work.models.get(name)
    if model:
        event = Event(
            "model:access:denied",
            {"model": model.id, "name": model.name},
            after={"verb": verb.value},
        )
        work.record(caller, event, model_id=model.id)
