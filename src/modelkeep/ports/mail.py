"""The way out by e-mail."""

from typing import Protocol

from modelkeep.domain.mail import Letter
from modelkeep.domain.webhooks import Outcome


class Mailer(Protocol):
    """Hands letters to the mail server of the settings, and to no other."""

    async def send(self, letter: Letter) -> Outcome:
        """One attempt, of 15 seconds at most. The outcome has the server's reply by its number;
        it is final where the server will not have this letter, ever."""
        ...
