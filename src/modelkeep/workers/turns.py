"""Whether a task is this process's to do, or another's over the same database."""

import secrets

from modelkeep.services import leases
from modelkeep.services.app import App


class Turns:
    """The lease of one task. `is_alone`: nobody else can share the database: it is always ours."""

    def __init__(self, app: App, task: str, *, is_alone: bool) -> None:
        self._app, self._task, self._is_alone = app, task, is_alone
        self._holder = secrets.token_hex(8)

    async def is_ours(self) -> bool:
        if self._is_alone:
            return True
        is_ours, is_due = await self._app.read(leases.look, self._task, self._holder)
        if is_due:
            return await self._app.write(leases.take, self._task, self._holder)
        return is_ours

    async def give_up(self) -> None:
        if not self._is_alone:
            await self._app.write(leases.give_up, self._task, self._holder)
