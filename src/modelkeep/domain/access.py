"""Who is asking.

Until accounts exist an identity is a claim: the user name that the client sent, never checked.
It is recorded as unverified, and nothing here pretends otherwise.
"""

import unicodedata
from dataclasses import dataclass

ANONYMOUS = "anonymous"
NAME_LIMIT = 200  # characters of a user name


def person(name: str) -> str:
    """The form in which two spellings of one name are one person.

    NFKC, case folded, stripped, and without the characters that nobody sees (controls, joiners,
    direction marks): "Ann", " ann" and "ann" with a zero-width space are one.
    """
    seen = "".join(c for c in name if unicodedata.category(c) not in ("Cc", "Cf"))
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", seen).casefold()).strip()


@dataclass(frozen=True, slots=True)
class Actor:
    """A caller. `verified` is False while identities are claims."""

    name: str = ANONYMOUS
    verified: bool = False

    @property
    def is_anonymous(self) -> bool:
        return person(self.name) in ("", ANONYMOUS)


@dataclass(frozen=True, slots=True)
class Caller:
    """An actor in one request: what a use case needs to know of whoever called it."""

    actor: Actor
    request_id: str = ""


NOBODY = Caller(Actor())
