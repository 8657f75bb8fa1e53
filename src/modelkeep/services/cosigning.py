"""Collecting cosignatures: what the witnesses have seen of the journal, and what they say to it."""

import asyncio
import logging

from modelkeep.domain.errors import ModelkeepError
from modelkeep.domain.notes import Note, Signature, decimal
from modelkeep.domain.receipts import Submission
from modelkeep.ports.checkpoints import Reply, Signed, Witness
from modelkeep.services import checkpoints, proofs
from modelkeep.services.app import App
from modelkeep.services.checkpoints import Standing

RETRY_MS = 30_000  # after a witness was not to be had, or would not
TRIES = 3  # with one checkpoint: the first may tell what the witness knows
_OBJECTION = (
    "The witness {name} has cosigned a tree of {seen} entries that this journal does not continue: "
    "an older copy was restored, or the journal was tampered with"
)

_log = logging.getLogger(__name__)


class Cosigner:
    """Asks each witness that has not cosigned the newest checkpoint. For one task at a time."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._known: dict[str, int] = {}  # witness -> the size that it saw last
        self._not_before_ms: dict[str, int] = {}

    async def collect(self, standing: Standing, *, anew: bool = False) -> None:
        """Adds the cosignatures that can be had; `anew` asks those for a later one who gave one.

        A witness that has seen what the journal does not continue is an objection to signing on.
        """
        signed = standing.signed
        if signed is None or standing.objection:
            return
        before = Note.parse(signed.note)
        names = set() if anew else {(s.name, s.key_id) for s in before.signatures}
        asked = [
            witness
            for witness in self._app.witnesses
            if (witness.key.name, witness.key.id) not in names
            and self._not_before_ms.get(witness.key.vkey, 0) <= standing.now_ms
        ]
        found = await asyncio.gather(*(self._ask(witness, standing, signed) for witness in asked))
        after = before
        for signature in filter(None, found):
            after = after.signed(signature)
        if after != before:
            await self._app.write(checkpoints.add_cosignatures, signed, after.source)

    async def _ask(self, witness: Witness, standing: Standing, signed: Signed) -> Signature | None:
        """The witness's cosignature, if it gives one."""
        old = self._known.get(witness.key.vkey, 0)
        reply = Reply(0, "")
        for _ in range(TRIES):
            path = await self._app.read(proofs.consistency, min(old, signed.size), signed.size)
            reply = await witness.submit(Submission(old, tuple(path), signed.note))
            if reply.status != 409:
                break
            known = _size(reply)
            if known is None or known == old or known > signed.size:
                break
            old = known
        return self._settle(witness, standing, signed, reply, old)

    def _settle(
        self, witness: Witness, standing: Standing, signed: Signed, reply: Reply, old: int
    ) -> Signature | None:
        name, vkey = witness.key.name, witness.key.vkey
        known = _size(reply) if reply.status == 409 else None
        if known is not None and signed.size < known <= standing.tree.size:
            self._known[vkey] = known  # another replica's was there first; the next will do
        elif reply.status == 422 or known is not None:
            seen = old if known is None else known
            self._app.notary.object(standing.tree.origin, _OBJECTION.format(name=name, seen=seen))
        elif found := self._cosignature(witness, signed, reply):
            self._known[vkey] = signed.size
            self._not_before_ms.pop(vkey, None)
            return found
        else:
            level = logging.DEBUG if vkey in self._not_before_ms else logging.WARNING
            self._not_before_ms[vkey] = standing.now_ms + RETRY_MS
            said = f"{reply.status or ''} {reply.body.strip()[:200]}"
            _log.log(level, "the witness %s did not cosign: %s", name, said)
        return None

    def _cosignature(self, witness: Witness, signed: Signed, reply: Reply) -> Signature | None:
        """Of what the witness answered, its own signature, if that holds."""
        text = Note.parse(signed.note).text
        for line in reply.body.splitlines() if reply.status == 200 else ():
            try:
                signature = Signature.parse(line)
                if Note(text, (signature,)).signers([witness.key], self._app.notary.check):
                    return signature
            except ModelkeepError as error:
                _log.warning("the witness %s: %s", witness.key.name, error.message)
        return None


def _size(reply: Reply) -> int | None:
    try:
        return decimal(reply.body.removesuffix("\n"), "the size")
    except ModelkeepError:
        return None
