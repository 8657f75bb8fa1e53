"""The gates `artifact` and `documents`: what must be there besides numbers.

`artifact`: the server holds the version's bytes, under a digest that was computed here.
`documents`: each is attached to the version.
"""

from dataclasses import dataclass
from typing import ClassVar

from modelkeep.domain import documents, papers
from modelkeep.domain.gates.base import Case, Gate, Verdict, judged

_UNHELD = "the server does not hold its bytes: it is registered by a label only"


@dataclass(frozen=True, slots=True)
class ArtifactGate:
    """The version is frozen bytes, and no mere label."""

    name: ClassVar[str] = "artifact"

    def asks(self) -> str:
        return "bytes that the server holds and hashed itself"

    def judge(self, case: Case) -> Verdict:
        standing = case.evidence.standing
        digest = standing.manifest if standing else None
        return judged(self.name, () if digest else (_UNHELD,), f"held as {digest}")


@dataclass(frozen=True, slots=True)
class DocumentsGate:
    """Every one of `names` is attached."""

    name: ClassVar[str] = "documents"
    names: tuple[str, ...]

    def asks(self) -> str:
        return ", ".join(self.names) or "nothing"

    def judge(self, case: Case) -> Verdict:
        attached = case.evidence.documents
        missing = [f"{name} is not attached" for name in self.names if name not in attached]
        return judged(self.name, missing, f"{', '.join(self.names) or 'none required'}: attached")


def read_artifact(value: object, path: str) -> Gate | None:
    """The gate of `artifact_verified: true`."""
    return ArtifactGate() if documents.truth(value, path) else None


def read_documents(value: object, path: str) -> Gate:
    """The gate of a `required_documents` list of names."""
    named = (documents.checked(papers.check_name, n, at) for at, n in documents.items(value, path))
    return DocumentsGate(tuple(named))
