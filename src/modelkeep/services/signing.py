"""One turn of signing: look where the journal stands, sign if there is reason to, ask witnesses.

The order is what makes it safe to die anywhere: what is signed was committed before; the notary
remembers a note before the database has it, and nobody is shown it before both have.
"""

from modelkeep.domain.access import Caller
from modelkeep.domain.errors import NotFound
from modelkeep.ports.checkpoints import Origin
from modelkeep.services import checkpoints
from modelkeep.services.app import App
from modelkeep.services.checkpoints import Standing
from modelkeep.services.cosigning import Cosigner


async def fork(app: App, caller: Caller, reason: str, name: str = "") -> Origin:
    """See `checkpoints.fork`. What the notary remembers is in the leaf then, and bars nothing."""
    before = app.notary.remembered()
    origin = await app.write(checkpoints.fork, caller, app.notary, reason, name)
    if before is not None:
        app.notary.forget(before)
    return origin


class Signing:
    """The turns of one process. `name` is that of the first origin, if the journal has none."""

    def __init__(self, app: App, name: str) -> None:
        self._app, self._name = app, name
        self._cosigner = Cosigner(app)
        self._has_asked = False

    async def turn(self) -> str:
        """Signs what is there to sign; the objection, if there is one. Raises ModelkeepError."""
        standing = await self._standing()
        if not self._has_asked:  # what this server forgot, if a copy was restored, they remember
            await self._cosigner.collect(standing, anew=True)
            self._has_asked = True
            standing = await self._standing()
        is_again = standing.is_due and await self._sign(standing)
        await self._cosigner.collect(await self._standing(), anew=is_again)
        return standing.objection

    async def _sign(self, standing: Standing) -> bool:
        """Signs, and says whether it only was for the journal to be seen alive."""
        tree, before = standing.tree, standing.signed
        is_again = before is not None and before.size == tree.size
        note = before.note if before and is_again else self._app.notary.sign(tree)
        self._app.notary.remember(note)
        await self._app.write(checkpoints.keep, standing.origin.number, note)
        return is_again

    async def _standing(self) -> Standing:
        try:
            return await self._app.read(checkpoints.standing, self._app.notary)
        except NotFound:
            await self._app.write(checkpoints.open_first, self._name, self._app.notary)
            return await self._app.read(checkpoints.standing, self._app.notary)
