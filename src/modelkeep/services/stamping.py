"""Signing topics' messages, so that whoever gets one can tell that it is ours."""

import asyncio
from contextlib import suppress

from modelkeep.domain import notifications
from modelkeep.domain.access import Caller
from modelkeep.domain.errors import IntegrityFailure, NotFound
from modelkeep.domain.events import Event
from modelkeep.domain.stamps import Stamp
from modelkeep.ports.work import Work
from modelkeep.services.app import App


async def prepare(app: App, caller: Caller) -> None:
    """Sees to it that there is a stamp that can be opened: the newest, or a new one."""
    newest = await app.read(_newest, point=True)
    if newest is not None:
        with suppress(IntegrityFailure):
            await asyncio.to_thread(app.stamper.sign, newest, "", 2)
            return
    made = await asyncio.to_thread(app.stamper.make, app.clock.now_ms())
    await app.write(keep, caller, made, newest)


async def signed(app: App, envelope: str, base: str, version: int) -> str:
    """An envelope with its signature, and where its certificate is at `base`, the address of this
    server. Raises IntegrityFailure where the stamp cannot be opened, NotFound where is none."""
    stamp = await app.read(_newest, point=True)
    if stamp is None:
        raise NotFound("There is no key that messages could be signed with.")
    text = notifications.to_sign(envelope)
    signature = await asyncio.to_thread(app.stamper.sign, stamp, text, version)
    return notifications.signed(envelope, version, signature, base, stamp.id)


def certificate(work: Work, id: str) -> str:
    """In PEM. Raises NotFound."""
    stamp = next((stamp for stamp in work.topics.stamps() if stamp.id == id), None)
    if stamp is None:
        raise NotFound("There is no such certificate.")
    return stamp.certificate


def keep(work: Work, caller: Caller, made: Stamp, instead_of: Stamp | None) -> None:
    """Unless somebody else was quicker."""
    if _newest(work) == instead_of:
        work.topics.add_stamp(made)
        thing = {"stamp": made.id, "name": f"stamp {made.id}"}
        work.record(
            caller, Event("topic:stamp:made", object=thing, after={"certificate": made.certificate})
        )


def _newest(work: Work) -> Stamp | None:
    return next(iter(work.topics.stamps()), None)
