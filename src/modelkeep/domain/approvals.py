"""Requests and votes: who may speak for a promotion, and what one vote does.

The rules, all of them:

* Four eyes. Neither an author (of the version, of its run, or of anything in these) nor whoever
  asked may vote, nor who answers for a service account that did either, nor who made the token by
  which either was done.
* A service account never votes.
* Nobody who is `anonymous`, or gave no name, may vote.
* A person votes once, but whoever voted for may vote against while the request takes votes: then
  that counts, and the vote for it no more. Two spellings of one name are one person
  (`access.person`).
* A request takes votes while it is pending and not yet expired.
* One counted rejection rejects, and one that asks for changes closes the request as well: whoever
  asked mends what is missing, and asks again. Whether the counted approvals suffice is for the
  gate to say.
* Whoever asked may withdraw the request while it is pending. One that nobody decided in time is
  closed as expired; a day before, those who could decide it are reminded, once.
* A request holds for one subject, one evidence, one policy and one starting stage; if any of them
  changed, it is void (`still_valid`).

A vote that is denied is a result to be recorded, not an exception.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from modelkeep.domain.access import Actor, person

AUTHOR = "is an author of this version"
DAY_MS = 24 * 60 * 60 * 1000
LIFETIME_MS = 7 * DAY_MS
REMINDED_MS = DAY_MS  # before a request expires
_NONE: Mapping[str, str] = {}


class Status(StrEnum):
    """Where a request stands. All but PENDING are final."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    CHANGES = "changes_requested"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    VOID = "void"


@dataclass(frozen=True, slots=True)
class Request:
    """Someone asks that a version may move from stage `source` to stage `target`.

    `subject` is what the version is: its manifest's digest or, unverified, its label. The digests
    are of the evidence and the policy it was asked under. Times are milliseconds since the epoch.
    """

    id: int
    model_id: int
    version_id: int
    number: int
    subject: str
    source: str
    target: str
    evidence_digest: str
    policy_digest: str
    requested_by: str
    authors: tuple[str, ...]
    reason: str
    status: Status
    created_ms: int
    expires_ms: int
    archive_existing: bool = False  # whom to displace where the stage admits many
    returns_to: int | None = None  # of a rollback: the id of the stay that it goes back to
    epoch: int | None = None  # the target slot's, if whoever asked named one
    lent_by: str = ""  # who made the token that it was asked with, if not whoever asked

    @property
    def barred(self) -> frozenset[str]:
        """Who may not vote on it, as `access.person` spells them."""
        return frozenset(map(person, (*self.authors, self.requested_by, self.lent_by)))


@dataclass(frozen=True, slots=True)
class Vote:
    """One person's word: for (`approves`) or against, at a time in milliseconds.

    `roles` are those that the person had on the model when the vote was cast. `wants_changes` says
    of a vote against that the request may come again, mended.
    """

    voter: str
    approves: bool
    comment: str = ""
    at_ms: int = 0
    roles: tuple[str, ...] = ()
    wants_changes: bool = False

    @property
    def verdict(self) -> str:
        if self.approves:
            return "approve"
        return "request changes" if self.wants_changes else "reject"


@dataclass(frozen=True, slots=True)
class Comment:
    """What somebody said of a request without deciding it."""

    name: str
    text: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Denied:
    """The vote does not count; `reason` is a sentence for the voter."""

    reason: str


@dataclass(frozen=True, slots=True)
class Counted:
    """The vote counts: `votes` are now all that do, it being the last. `instead_of` is the place,
    from 0, among those that counted before of the same person's, which does no more."""

    votes: tuple[Vote, ...]
    instead_of: int | None = None

    @property
    def rejects(self) -> bool:
        """The request is rejected by it. Otherwise ask the gates again, with these votes."""
        return not self.votes[-1].approves


def expiry_ms(created_ms: int, lifetime_ms: int = LIFETIME_MS) -> int:
    """When a request made at `created_ms` stops taking votes: after seven days by default."""
    return created_ms + lifetime_ms


def may_vote(voter: str, barred: Collection[str] = ()) -> bool:
    """True of a name that is not anonymous and not barred (names as `access.person` has them)."""
    return not Actor(voter).is_anonymous and person(voter) not in barred


def cast(
    request: Request,
    vote: Vote,
    earlier: Iterable[Vote],
    now_ms: int,
    answerable: Iterable[str] = (),
    reasons: Mapping[str, str] = _NONE,
) -> Denied | Counted:
    """What a vote on `request` does, `earlier` being the votes on it that counted so far.

    `answerable` are those who answer for the service account that asked, if one did; `reasons` say
    of people why they are authors, as a sentence goes on after their name.
    """
    counted = tuple(earlier)
    denial = _closed(request, now_ms) or _ineligible(request, vote.voter, answerable, reasons)
    if denial:
        return Denied(denial)
    who = person(vote.voter)
    place = next((i for i, one in enumerate(counted) if person(one.voter) == who), None)
    if place is None:
        return Counted((*counted, vote))
    if vote.approves:  # a vote against closes the request, so that what there is was for it
        return Denied(f"{who} has voted on request {request.id} already.")
    return Counted((*counted[:place], *counted[place + 1 :], vote), place)


def _closed(request: Request, now_ms: int) -> str | None:
    if request.status is not Status.PENDING:
        return f"Request {request.id} is {request.status} already."
    if now_ms >= request.expires_ms:
        return f"Request {request.id} has expired; ask for the promotion again."
    return None


def _ineligible(
    request: Request,
    voter: str,
    answerable: Iterable[str],
    reasons: Mapping[str, str],
) -> str | None:
    if Actor(voter).is_anonymous:
        return "An anonymous caller cannot vote; say who you are."
    who = person(voter)
    why = dict(barred(request, answerable, reasons)).get(who)
    if why:
        return f"{who} {why}; someone else must decide."
    return None


def barred(
    request: Request, answerable: Iterable[str] = (), reasons: Mapping[str, str] = _NONE
) -> list[tuple[str, str]]:
    """Who may not vote, as `access.person` spells them, and why, each once; as in `cast`."""
    found = [(who, reasons.get(who, AUTHOR)) for who in map(person, request.authors)]
    found.append((person(request.requested_by), "asked for this promotion"))
    if request.lent_by:
        lent = "made the token, or the password, by which this promotion was asked for"
        found.append((person(request.lent_by), lent))
    found += [
        (who, "answers for whoever asked for this promotion") for who in map(person, answerable)
    ]
    first: dict[str, str] = {}
    for who, why in found:
        first.setdefault(who, why)
    return list(first.items())


def still_valid(
    request: Request, policy_digest: str, current_stage: str, subject: str
) -> str | None:
    """None while the request holds; else a sentence with all that changed since, which voids it."""
    changes = []
    if policy_digest != request.policy_digest:
        changes.append("the policy is another one")
    if current_stage != request.source:
        changes.append(f"the version is in {current_stage}, no longer in {request.source}")
    if subject != request.subject:
        changes.append("the version is not the one that was asked for")
    if not changes:
        return None
    return f"Since request {request.id} was made, {' and '.join(changes)}."


def refuse_withdrawal(request: Request, name: str) -> str | None:
    """Why somebody may not withdraw a request; None for whoever asked, while it is pending."""
    if request.status is not Status.PENDING:
        return f"Request {request.id} is {request.status} already."
    if Actor(name).is_anonymous or person(name) != person(request.requested_by):
        return f"Only {request.requested_by}, who asked, may withdraw request {request.id}."
    return None
