"""What is said of each part of a policy document: whether it is enforced, and what it asks."""

from dataclasses import dataclass
from typing import Any

from modelkeep.domain.documents import at

_NOT_YET = "kept and shown, not enforced yet"


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the document, by its path, and whether it is enforced now."""

    path: str
    enforced: bool
    note: str = ""


def unenforced(part: dict[str, Any], path: str) -> list[Section]:
    """The sections of a part of which nothing is enforced."""
    listed = [Section(at(path, key), False, _NOT_YET) for key in part]
    return listed or [Section(path, False, _NOT_YET)]
