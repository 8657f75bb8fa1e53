"""What SageMaker's clients say of versions: the documents in which it is kept."""

import json
from collections.abc import Mapping
from typing import Any

from modelkeep.domain.access import Caller
from modelkeep.domain.models import Version
from modelkeep.domain.packages import (
    FROZEN,
    MEMBERS,
    VERDICTS,
    Approval,
    Saying,
    Verdict,
    members_to_json,
    verdict_of,
)
from modelkeep.ports.work import Work
from modelkeep.services import papers
from modelkeep.services.catalog import again


def read(work: Work, version: Version) -> Saying:
    """An empty one where nobody said anything."""
    said = work.papers.get(version.id, MEMBERS)
    given = work.papers.get(version.id, VERDICTS)
    last = max((paper for paper in (said, given) if paper), key=lambda p: p.at_ms, default=None)
    members = json.loads(said.body) if said else {}
    frozen = members.pop(FROZEN, {})
    return Saying(
        members,
        verdict_of(given.body) if given else None,
        last.author if last else "",
        last.at_ms if last else 0,
        frozen,
    )


def last_verdict(work: Work, version: Version) -> tuple[str, Verdict] | None:
    """Who gave it, or put other words to it, and what they said."""
    given = work.papers.get(version.id, VERDICTS)
    return (given.author, verdict_of(given.body)) if given else None


def keep(
    work: Work,
    caller: Caller,
    version: Version,
    members: Mapping[str, Any],
    frozen: Mapping[str, str] | None = None,
) -> None:
    """Says these members of a version; None takes one back. `frozen` is as in `Saying`; with None
    it is as it was.

    Raises InvalidInput where all that is said is too large for a document.
    """
    old = read(work, version)
    kept = old.frozen if frozen is None else frozen
    whole = {**old.members, **members, FROZEN: kept or None}
    _put(work, caller, version, MEMBERS, members_to_json(whole))


def note(
    work: Work, caller: Caller, version: Version, approval: Approval | None, comment: str | None
) -> None:
    """Keeps a verdict, of the version as it is now, and its comment; without an approval, a comment
    of the last one."""
    last = read(work, version).verdict
    if approval is None and last:
        verdict = Verdict(last.approval, last.at_ms, last.subject, comment)
    else:
        verdict = Verdict(approval, work.now_ms, again(work, version).subject, comment)
    _put(work, caller, version, VERDICTS, verdict.to_json())


def _put(work: Work, caller: Caller, version: Version, name: str, body: str) -> None:
    papers.put(work, caller, version, name, "application/json", body)
