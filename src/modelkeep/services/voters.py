"""Who may give a verdict on a package: whoever may vote, or may move it. Which of the two it comes
to is told once it is given (`verdicts.cast`)."""

from dataclasses import dataclass, replace

from modelkeep.domain.access import Access, Verb
from modelkeep.domain.approvals import Request
from modelkeep.domain.lifecycles import Lifecycle
from modelkeep.ports.work import Work
from modelkeep.services.permits import Need
from modelkeep.services.policies import lifecycle_of


def verb_of_votes(cycle: Lifecycle, asked: Request | None = None) -> Verb:
    """What a verdict takes that moves nothing by itself, on a request if there is one: where
    nothing guards production nobody votes, but on what a way out or back asks for."""
    is_in_force = asked is not None and asked.policy_digest == cycle.policy_digest
    is_vote = is_in_force or cycle.is_guarded(cycle.production)
    return Verb.APPROVE if is_vote else Verb.PROMOTE


@dataclass(frozen=True, slots=True)
class Voting(Need):
    """A role that approves or promotes: `verdicts.cast` asks for the one that it comes to. Words
    alone may also be of who writes: `descriptions.change` tells."""

    is_words: bool = False

    def is_met(self, access: Access) -> bool | None:
        return (access.may(Verb.APPROVE) and access.may(Verb.PROMOTE)) or None

    def check(self, work: Work, access: Access) -> None:
        name = self.find(work) if self.find else self.model
        model = work.models.get(name) if name else None
        if model is None:
            return
        verbs = (Verb.APPROVE, Verb.PROMOTE, *((Verb.WRITE,) if self.is_words else ()))
        if not any(access.may(v, model.name, model.tags) for v in verbs):
            verb = self.verb if self.is_words else verb_of_votes(lifecycle_of(work, model.name))
            raise replace(self, verb=verb).refusal(model.name)
