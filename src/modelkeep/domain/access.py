"""Who is asking.

Until accounts exist an identity is a claim: the user name that the client sent, never checked.
It is recorded as unverified, and nothing here pretends otherwise.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

ANONYMOUS = "anonymous"
NAME_LIMIT = 200  # characters of a user name


# What is drawn as nothing though it is no control: fillers, variation selectors, the blank of
# Braille (Unicode 17, Default_Ignorable_Code_Point, but for what `category` says).
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\ufff0-\ufff8\U000e0000-\U000e0fff]"
)


@lru_cache(maxsize=4096)
def person(name: str) -> str:
    """The form in which two spellings of one name are one person.

    NFKC, case folded, stripped, one space for many, and without the characters that nobody sees
    (controls, joiners, direction marks, fillers): "Ann", " ann" and "ann" with a zero-width space
    are one. A person's form is its own form.
    """
    while (folded := _folded(name)) != name:
        name = folded
    return name


def is_blank(text: str) -> bool:
    """Whether a reader would see nothing of it."""
    return not _folded(text)


def _folded(name: str) -> str:
    seen = "".join(c for c in name if unicodedata.category(c) not in ("Cc", "Cf"))
    seen = unicodedata.normalize("NFKC", _BLANK.sub("", seen))
    return " ".join(unicodedata.normalize("NFKC", seen.casefold()).split())


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
    """An actor in one request: what a use case needs to know of whoever called it.

    `origin` is the address of the server whose past the caller brings over, if it does.
    """

    actor: Actor
    request_id: str = ""
    origin: str = ""


NOBODY = Caller(Actor())
