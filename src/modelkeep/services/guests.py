"""Guests: callers who speak for another account, and what the policies of groups let them see.

A guest may do what a group's policy allows their account to do with it, as far as the grants of
whoever calls allow it as well; and nothing else at all. Each call is judged by the policies as they
are in its own transaction.
"""

from modelkeep.domain.access import Access, Caller, Verb
from modelkeep.domain.errors import Forbidden, LimitExceeded, Unmet
from modelkeep.domain.handles import handle_of
from modelkeep.domain.sharing import LOADING, Group, Guest, Lent, kept
from modelkeep.ports.sharing import Among, SharedGroup
from modelkeep.ports.work import Work

GROUPS_LIMIT = 5_000  # with a policy that may let the caller, that one call looks at


def seen_by(work: Work, access: Access, guest: Guest, lent: Lent) -> Work:
    """The work as a guest sees it who does something: the groups whose policies let them.

    Raises Forbidden, in the same words whether the group that is meant is there or not, but to whom
    its policy lets do it: they are told that the grants are missing. LimitExceeded where there are
    too many to look at.
    """
    shared = work.group_policies.shared(guest.account, lent.handle, GROUPS_LIMIT + 1)
    if len(shared) > GROUPS_LIMIT:
        raise LimitExceeded(
            f"More than {GROUPS_LIMIT} groups have policies for account {guest.account}: name the "
            "one that you mean by its ARN."
        )
    allowing = _allowing(shared, guest, lent.action)
    among = Among(allowing, _allowing(shared, guest, LOADING))
    seen = work.seen_by(access, among)
    if lent.handle is not None and seen.models.by_handle(lent.handle) is None:
        raise _ungranted(guest, lent.action) if allowing else refusal(guest, lent.action)
    return seen


def refusal(guest: Guest, action: str = "this call") -> Forbidden:
    return Forbidden(
        f"Permission denied. Account {guest.account} is another than {guest.at.account}, and may "
        f"do here what the policy of a group lets it, as its key's owner may: {action} is not of "
        "that."
    )


def _ungranted(guest: Guest, action: str) -> Forbidden:
    return Forbidden(
        f"Permission denied. The policy of the group lets account {guest.account} do {action}; no "
        f"role is granted on it to {guest.actor.name}, whose key this is."
    )


def check_tag(work: Work, caller: Caller, name: str, key: str) -> None:
    """Raises Unmet for a tag on which the policy of a model's group hangs, unless the caller
    administers the model: who may set a policy may set that."""
    model = work.models.get(name)
    if model is None or caller.access.may(Verb.ADMIN, model.name, model.tags):
        return
    policy = work.group_policies.get(model.id)
    if policy and kept(policy.body).hangs_on(key):
        raise Unmet(
            f"Permission denied. The policy of the group hangs on the tag {key}: an admin sets it.",
            Verb.ADMIN,
            model.name,
        )


def _allowing(shared: list[SharedGroup], guest: Guest, action: str) -> tuple[int, ...]:
    return tuple(
        one.model_id
        for one in shared
        if kept(one.body).allows(guest, action, Group(handle_of(one.name), guest.at, one.tags))
    )
