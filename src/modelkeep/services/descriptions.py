"""The words of verdicts: what is shown as ApprovalDescription, and who may change it.

They are those of who gave the last verdict, and nobody else puts others there, or an author could
rewrite an approver's: not with the same verdict either. A verdict that came in another dialect has
none, until somebody who could have given it says it again.
"""

from modelkeep.domain.access import Caller, Verb, person
from modelkeep.domain.errors import Conflict
from modelkeep.domain.lifecycles import Lifecycle
from modelkeep.domain.models import Version
from modelkeep.domain.packages import Approval, Verdict
from modelkeep.ports.work import Work
from modelkeep.services import sayings, standing, voting
from modelkeep.services.permits import demand
from modelkeep.services.policies import lifecycle_of
from modelkeep.services.voters import verb_of_votes


def change(work: Work, caller: Caller, version: Version, words: str) -> None:
    """Puts other words to the last verdict. Raises Conflict but for who gave it; Forbidden for
    others who may not write."""
    last = _last(work, version, lifecycle_of(work, version.model_name))
    if last is None or not _is(last[0], caller):
        demand(work, caller, Verb.WRITE, version.model_name)
    if last is None:
        raise Conflict(
            "ApprovalDescription is of a verdict, and the last one here, if there is any, was not "
            "given as a ModelApprovalStatus: give it with one."
        )
    giver, verdict = last
    if verdict.comment == words:
        return
    if not _is(giver, caller):
        raise _of(giver)
    sayings.note(work, caller, version, None, words)


def tell_of_move(work: Work, caller: Caller, version: Version, reason: str) -> None:
    """Keeps the reason of a move as the words of the last verdict, where the caller gave it."""
    last = _last(work, version, lifecycle_of(work, version.model_name))
    if last and _is(last[0], caller):
        sayings.note(work, caller, version, None, reason)


def say_again(
    work: Work, caller: Caller, version: Version, wanted: Approval, words: str, cycle: Lifecycle
) -> None:
    """The verdict that is there, in other words: of who gave it or, of one in another dialect, who
    could have, and gives it now.

    Raises Forbidden, Conflict.
    """
    last = _last(work, version, cycle)
    if last and last[1].comment == words:
        return
    if last and _is(last[0], caller):
        sayings.note(work, caller, version, None, words)
        return
    demand(work, caller, verb_of_votes(cycle), version.model_name)
    if last:
        raise _of(last[0])
    if cycle.is_guarded(cycle.production) and (why := voting.refuse_voice(work, caller, version)):
        raise Conflict(f"{why} ApprovalDescription is what those say who gave the verdict.")
    sayings.note(work, caller, version, wanted, words)


def _last(work: Work, version: Version, cycle: Lifecycle) -> tuple[str, Verdict] | None:
    """The last verdict and who gave it, if that was one of SageMaker's."""
    found = sayings.last_verdict(work, version)
    return found if found and standing.is_last(work, version, found[1], cycle) else None


def _of(giver: str) -> Conflict:
    return Conflict(
        f"ApprovalDescription is what {giver} said, who gave the last verdict: nobody else "
        "changes it. Yours comes with another ModelApprovalStatus than the one that is there."
    )


def _is(name: str, caller: Caller) -> bool:
    return person(name) == person(caller.actor.name)
