"""Who is asking, and what they may do.

Without `--auth on` an identity is a claim: the user name that the client sent, never checked. It is
recorded as unverified, nothing here pretends otherwise, and everybody may do everything.

With it, what a caller may do is the sum of their grants: a role, on one model, on a project (the
models whose names begin alike, or that carry a tag) or on everything. No grant forbids, and what
no grant allows is refused.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from modelkeep.domain.errors import InvalidInput

ANONYMOUS = "anonymous"
NAME_LIMIT = 200  # characters of a user name


# What is drawn as nothing though it is no control: fillers, variation selectors, the blank of
# Braille (Unicode 17, Default_Ignorable_Code_Point, but for what `category` says).
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\ufff0-\ufff8\U000e0000-\U000e0fff]"
)


@lru_cache(maxsize=4096)
def person(name: str) -> str:
    """The form in which two spellings of one name are one person.

    NFKC, case folded, stripped, one space for many, and without the characters that nobody sees
    (controls, joiners, direction marks, fillers): "Ann", " ann" and "ann" with a zero-width space
    are one. A person's form is its own form.
    """
    while (folded := _folded(name)) != name:
        name = folded
    return name


def is_blank(text: str) -> bool:
    """Whether a reader would see nothing of it."""
    return not _folded(text)


def _folded(name: str) -> str:
    seen = "".join(c for c in name if unicodedata.category(c) not in ("Cc", "Cf"))
    seen = unicodedata.normalize("NFKC", _BLANK.sub("", seen))
    return " ".join(unicodedata.normalize("NFKC", seen.casefold()).split())


class Kind(StrEnum):
    """What a caller is. Only a user is a person, and only a person may approve."""

    USER = "user"
    SERVICE = "service"
    ANONYMOUS = "anonymous"
    SYSTEM = "system"


class Verb(StrEnum):
    """What can be asked of a model."""

    READ = "read"  # everything but the bytes
    DOWNLOAD = "download"  # the bytes
    WRITE = "write"  # register, describe, tag, delete
    PROMOTE = "promote"  # ask for a move, an alias, a rollback: a policy may make it wait
    APPROVE = "approve"
    DEPLOY = "deploy"  # deprecate, retire, routes
    ADMIN = "admin"  # accounts, policies, webhooks, break-glass, imports


class Role(StrEnum):
    VIEWER = "viewer"
    RESTRICTED_VIEWER = "restricted_viewer"
    CONTRIBUTOR = "contributor"
    REVIEWER = "reviewer"
    DEPLOYER = "deployer"
    ADMIN = "admin"


_SEES = frozenset((Verb.READ, Verb.DOWNLOAD))
VERBS: Mapping[Role, frozenset[Verb]] = {
    Role.RESTRICTED_VIEWER: frozenset((Verb.READ,)),
    Role.VIEWER: _SEES,
    Role.CONTRIBUTOR: _SEES | {Verb.WRITE, Verb.PROMOTE},
    Role.REVIEWER: _SEES | {Verb.APPROVE},
    Role.DEPLOYER: _SEES | {Verb.PROMOTE, Verb.DEPLOY},
    Role.ADMIN: frozenset(Verb),
}


class Reach(StrEnum):
    """How a grant says which models it is on."""

    ALL = "*"
    MODEL = "model"
    PREFIX = "prefix"
    TAG = "tag"


@dataclass(frozen=True, slots=True)
class Scope:
    """The models that a grant is on. `value` is a name, a prefix or a tag's value."""

    reach: Reach
    value: str = ""
    key: str = ""  # of a tag

    def __str__(self) -> str:
        if self.reach is Reach.ALL:
            return "*"
        tag = f"{self.key}=" if self.reach is Reach.TAG else ""
        return f"{self.reach}:{tag}{self.value}"

    def covers(self, model_name: str | None, tags: Mapping[str, str] | None) -> bool:
        """Whether a model is in the scope; None for a name means all of them."""
        if self.reach is Reach.ALL:
            return True
        if model_name is None:
            return False
        if self.reach is Reach.TAG:
            return tags is not None and tags.get(self.key) == self.value
        is_one = self.reach is Reach.MODEL
        return model_name == self.value if is_one else model_name.startswith(self.value)


EVERYTHING = Scope(Reach.ALL)


def scope_of(text: str) -> Scope:
    """`*`, `model:NAME`, `prefix:BEGINNING` or `tag:KEY=VALUE`. Raises InvalidInput."""
    if text == "*":
        return EVERYTHING
    kind, _, rest = text.partition(":")
    key, equals, value = rest.partition("=")
    if kind in ("model", "prefix") and rest:
        return Scope(Reach(kind), rest)
    if kind == "tag" and key and equals:
        return Scope(Reach.TAG, value, key)
    raise InvalidInput(
        f"'{text[:NAME_LIMIT]}' is no scope; write *, model:NAME, prefix:BEGINNING or "
        "tag:KEY=VALUE."
    )


@dataclass(frozen=True, slots=True)
class Grant:
    role: Role
    scope: Scope = EVERYTHING


@dataclass(frozen=True, slots=True)
class Access:
    """What one caller may do. A tag that is unknown, or absent, gives nothing.

    `deciding_tags` are the keys of tags that anybody's grant names: only an admin changes those.
    """

    grants: tuple[Grant, ...] = ()
    deciding_tags: frozenset[str] = frozenset()

    def roles(
        self, model_name: str | None = None, tags: Mapping[str, str] | None = None
    ) -> frozenset[Role]:
        """The roles on one model; without a name, those on everything."""
        return frozenset(g.role for g in self.grants if g.scope.covers(model_name, tags))

    def may(
        self,
        verb: Verb,
        model_name: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> bool:
        """Whether a verb is allowed on one model; without a name, whether on everything."""
        return any(verb in VERBS[g.role] and g.scope.covers(model_name, tags) for g in self.grants)

    def may_somewhere(self, verb: Verb) -> bool:
        """Whether a verb is allowed on anything at all."""
        return any(verb in VERBS[grant.role] for grant in self.grants)

    def scopes(self, verb: Verb) -> tuple[Scope, ...]:
        """Where a verb is allowed, for what filters in SQL."""
        return tuple(g.scope for g in self.grants if verb in VERBS[g.role])


ALL_ACCESS = Access(tuple(Grant(role) for role in Role))  # while there are no accounts


@dataclass(frozen=True, slots=True)
class Actor:
    """A caller. `verified` is False while identities are claims.

    `on_behalf_of` is the person who answers for a service account: whatever it did, they did too.
    `lent_by` made the token that the caller came with, or the password that it was signed in with,
    if that was somebody else: it may be them who calls. `account` is that which the caller speaks
    for, where it is another than the server's own.
    """

    name: str = ANONYMOUS
    verified: bool = False
    kind: Kind = Kind.USER
    on_behalf_of: str = ""
    lent_by: str = ""
    account: str = ""

    @property
    def is_anonymous(self) -> bool:
        return person(self.name) in ("", ANONYMOUS)


@dataclass(frozen=True, slots=True)
class Caller:
    """An actor in one request: what a use case needs to know of whoever called it.

    `origin` is the address of the server whose past the caller brings over, if it does. What the
    `client` calls itself, and the `address` that it calls from, are known where a load counts.
    """

    actor: Actor
    request_id: str = ""
    origin: str = ""
    access: Access = ALL_ACCESS
    client: str = ""
    address: str = ""


NOBODY = Caller(Actor())
