"""What a policy says of semantic versions: `semantic_versions: {enforced: true, prefix: v}`.

Enforced, a tag `semantic_version` that claims less than is honest is refused, and a new version
is given its number in that tag, for MLflow's clients to see.
"""

from dataclasses import dataclass

from modelkeep.domain import documents
from modelkeep.domain.documents import at
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.semver import Semver

_PREFIXES = ("", "v")


@dataclass(frozen=True, slots=True)
class Numbering:
    """Whether the tag must tell the number, and what we write before it: "" or "v"."""

    enforced: bool = False
    prefix: str = ""

    def written(self, number: Semver) -> str:
        return f"{self.prefix}{number}"

    def asks(self) -> str:
        """As a policy's section says it."""
        if not self.enforced:
            return "not asked for"
        return f"no tag claims less than is honest; written as {self.prefix}1.4.0"


def read(value: object, path: str) -> Numbering:
    """Raises InvalidInput, naming the part."""
    part = documents.mapping(value, path, ("enforced", "prefix"))
    enforced, prefix = part.get("enforced", False), part.get("prefix", "")
    if not isinstance(enforced, bool):
        where, is_now = at(path, "enforced"), documents.kind(enforced)
        raise InvalidInput(f"{where}: must be true or false, and is {is_now}.")
    if prefix not in _PREFIXES:
        raise InvalidInput(f"{at(path, 'prefix')}: must be 'v', or left out.")
    return Numbering(enforced, prefix)
