"""The gate `tags`: the version carries certain tags, and none of them says no.

A required tag counts when it is on the version and its value is neither blank nor, in any case,
one of "false", "no", "0", "off", "none". So `tested=false` fails, as its author meant it to;
any other text counts, `tested=yes` and `tested=2026-11-20 by ann` alike. The run's tags do not
count: they are written by whatever trains, and nobody looked at them.
"""

import unicodedata
from dataclasses import dataclass
from typing import ClassVar

from modelkeep.domain import documents, names
from modelkeep.domain.access import is_blank
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.evidence import INSTRUCTION_PREFIX
from modelkeep.domain.gates.base import Case, Gate, Verdict, judged, shown

SAYS_NO = frozenset({"false", "no", "0", "off", "none"})


@dataclass(frozen=True, slots=True)
class TagsGate:
    """Every one of `keys` is a tag of the version that does not say no."""

    name: ClassVar[str] = "tags"
    keys: tuple[str, ...]

    def asks(self) -> str:
        return ", ".join(self.keys) or "nothing"

    def judge(self, case: Case) -> Verdict:
        problems = (_objection(key, case.evidence.tags.get(key)) for key in self.keys)
        good = f"{', '.join(self.keys)} on the version" if self.keys else "none are required"
        return judged(self.name, filter(None, problems), good)


def says_no(value: str) -> bool:
    """Whether a tag's value denies what its key says, in any case and spelling."""
    return unicodedata.normalize("NFKC", value).strip().casefold() in SAYS_NO


def _objection(key: str, value: str | None) -> str | None:
    if value is None:
        return f"tag {key} is not on the version"
    if is_blank(value):
        return f"tag {key} is empty"
    if says_no(value):
        return f"tag {key} says '{shown(value, 40)}'"
    return None


def read(value: object, path: str) -> Gate:
    """The gate of a `required_tags` list. A tag of ours is no evidence and cannot be required."""
    keys = []
    for here, item in documents.items(value, path):
        if item.startswith(INSTRUCTION_PREFIX):
            raise InvalidInput(
                f"{here}: '{item:.80}' cannot be required; tags that begin with "
                f"'{INSTRUCTION_PREFIX}' are instructions to modelkeep and not evidence."
            )
        keys.append(documents.checked(names.check_tag_key, item, here))
    return TagsGate(tuple(keys))
