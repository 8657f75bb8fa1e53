"""Hands: who did something to a run, a logged model or the bytes of a version that others made.

Whoever had a hand in what a version is made of is one of its authors, and may not approve it. The
author of a run needs no hand in it, so that what they log costs nothing.
"""

from dataclasses import dataclass
from enum import StrEnum


class Thing(StrEnum):
    """What a hand can be in. A version's are those that it was registered with."""

    RUN = "run"
    LOGGED_MODEL = "logged_model"
    VERSION = "version"


class Deed(StrEnum):
    """What somebody did."""

    FILES = "files"
    LOGGED = "logged"
    IMPORTED = "imported"
    COPIED = "copied"  # had a hand in what a version is a copy of
    LENT = "lent"  # made the token, or the password, with which somebody else did it


@dataclass(frozen=True, slots=True)
class Hand:
    """Somebody's hand in a thing."""

    thing: Thing
    name: str
    deed: Deed

    def __str__(self) -> str:
        """What they did, as a sentence goes on after their name."""
        return _TOLD[self.deed].format(_OF_IT[self.thing])


_OF_IT = {Thing.RUN: "its run", Thing.LOGGED_MODEL: "its logged model", Thing.VERSION: "it"}
_TOLD = {
    Deed.FILES: "added or changed files of {}",
    Deed.LOGGED: "logged to {}",
    Deed.IMPORTED: "imported {}",
    Deed.COPIED: "had a hand in the version that {} is a copy of",
    Deed.LENT: "made the token, or the password, by which {} was made",
}
