"""What SageMaker's clients say of versions: the document in which it is kept."""

from dataclasses import replace

from modelkeep.domain.access import Caller
from modelkeep.domain.models import Version
from modelkeep.domain.packages import PAPER, Approval, Saying, Verdict, saying_of
from modelkeep.ports.work import Work
from modelkeep.services import papers
from modelkeep.services.catalog import again


def read(work: Work, version: Version) -> Saying:
    """An empty one where nobody said anything."""
    paper = work.papers.get(version.id, PAPER, None)
    return saying_of(paper.body, paper.at_ms) if paper else Saying()


def keep(work: Work, caller: Caller, version: Version, said: Saying) -> None:
    """Raises what `papers.make` does for a document that is too large."""
    body = replace(said, by=caller.actor.name).to_json()
    papers.put(work, caller, version, PAPER, "application/json", body)


def note(work: Work, caller: Caller, version: Version, approval: Approval) -> None:
    """Keeps a verdict, of the version as it is now."""
    verdict = Verdict(approval, work.now_ms, again(work, version).subject)
    keep(work, caller, version, replace(read(work, version), verdict=verdict))
