"""Policies of groups: who of another account may do what with a group and its packages.

The grammar is that of IAM's policies, without what denies by exclusion (NotAction, NotPrincipal,
NotResource) and with the conditions that are here; a policy that has anything else is refused, not
half understood. A policy speaks of a group and of all its packages alike, never of one version.
Whatever no statement allows is denied, and so is what any denies. The key of a condition is meant
in any case, that of a tag in it as well; a group of which it could mean two tags is shared by none.
Source: IAM's reference of JSON policy elements, and of its conditions; its user guide on
controlling access by tags.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from modelkeep.domain.access import Actor, Kind
from modelkeep.domain.errors import InvalidInput

_PRINCIPAL = re.compile(r"\*|[0-9]{12}|arn:aws[a-z-]*:iam::[0-9]{12}:(root|(user|role)/[^*?$/]+)")
_ACTION = re.compile(r"\*|sagemaker:[A-Za-z*?]+", re.IGNORECASE)
_NAME = "[A-Za-z0-9*?-]+"
_RESOURCE = re.compile(
    r"\*|arn:aws[a-z-]*:sagemaker:[a-z0-9*?-]+:[0-9*?]+:"
    rf"(\*|model-package\*|model-package-group/{_NAME}|model-package/({_NAME}/)?\*"
    rf"|model-package/{_NAME}\*)"
)
_KEY = re.compile(
    "(?P<account>(?i:aws:PrincipalAccount))|(?i:(aws|sagemaker):ResourceTag)/(?P<tag>.+)"
)

_Texts = str | Annotated[list[str], Meta(min_length=1)]

# What a caller's action is held against: the group, its packages, or either.
_GROUP, _PACKAGES = (True, False), (False, True)
ACTIONS: Mapping[str, tuple[bool, bool]] = {
    "AddTags": _GROUP,
    "BatchDescribeModelPackage": _PACKAGES,
    "CreateModel": _PACKAGES,
    "CreateModelPackage": _PACKAGES,
    "DeleteModelPackage": _PACKAGES,
    "DeleteModelPackageGroup": _GROUP,
    "DeleteTags": _GROUP,
    "DescribeModelPackage": _PACKAGES,
    "DescribeModelPackageGroup": _GROUP,
    "ListModelPackages": (True, True),
    "ListTags": _GROUP,
    "UpdateModelPackage": _PACKAGES,
}
ANYBODY = "*"  # whatever their account
LOADING = "CreateModel"  # whoever may deploy a package may have its bytes


@dataclass(frozen=True, slots=True)
class Place:
    """Where groups are, as ARNs say it: the region that a call is for, and the server's account."""

    region: str
    account: str


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody who speaks for another account than the server's own, and where they look."""

    account: str
    actor: Actor
    at: Place

    @property
    def names(self) -> frozenset[str]:
        """What a policy may call them by."""
        kind = "role" if self.actor.kind is Kind.SERVICE else "user"
        return frozenset((f"{self.account}:root", f"{self.account}:{kind}/{self.actor.name}"))


@dataclass(frozen=True, slots=True)
class Lent:
    """What a guest's call does, by the name of its action: with the group that has a handle, or,
    without one, with whichever allow it."""

    action: str
    handle: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """A group, as policies speak of it: its packages have its tags."""

    handle: str
    at: Place
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def arns(self) -> tuple[str, str]:
        """Its own, and that of a package of it: whichever, so that no pattern means its number."""
        stem = f":sagemaker:{self.at.region}:{self.at.account}:model-package"
        return f"arn:aws{stem}-group/{self.handle}", f"arn:aws{stem}/{self.handle}/#"


class Principals(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Accounts, or users of them."""

    aws: _Texts = msgspec.field(name="AWS")


class Statement(msgspec.Struct, forbid_unknown_fields=True, rename="pascal", frozen=True):
    effect: Literal["Allow", "Deny"]
    principal: Literal["*"] | Principals
    action: _Texts
    resource: _Texts
    sid: str = ""
    condition: dict[str, dict[str, _Texts]] = {}

    @property
    def principals(self) -> list[str]:
        return ["*"] if isinstance(self.principal, str) else _listed(self.principal.aws)

    @property
    def tests(self) -> list[tuple[str, str, list[str]]]:
        """Of the condition: operator, key and values; all must hold."""
        return [
            (operator, key, _listed(values))
            for operator, keys in self.condition.items()
            for key, values in keys.items()
        ]

    def check(self) -> None:
        """Raises InvalidInput for a name that nothing can have, and a test that is not done."""
        for what, pattern, given in (
            ("Principal", _PRINCIPAL, self.principals),
            ("Action", _ACTION, _listed(self.action)),
            ("Resource", _RESOURCE, _listed(self.resource)),
        ):
            for text in given:
                if not pattern.fullmatch(text):
                    raise InvalidInput(f"ResourcePolicy has as {what} what is none: {text[:200]}.")
        for action in _listed(self.action):
            if not any(_is_action(action, name) for name in ACTIONS):
                raise InvalidInput(
                    f"ResourcePolicy has the Action {action[:200]}, of which a group's policy does "
                    f"not decide; it does of {', '.join(ACTIONS)}."
                )
        for operator, key, values in self.tests:
            _check_test(operator, key, values)

    def is_about(self, guest: Guest, action: str, group: Group) -> bool:
        return (
            any(_is_principal(given, guest) for given in self.principals)
            and any(_is_action(given, action) for given in _listed(self.action))
            and any(
                _matches(given, arn)
                for arn, is_meant in zip(group.arns, ACTIONS[action], strict=True)
                if is_meant
                for given in _listed(self.resource)
            )
            and all(
                _OPERATORS[operator](_value(key, guest, group), values)
                for operator, key, values in self.tests
            )
        )

    def strangers(self, group: Group) -> list[str]:
        """Resources that are not the group's."""
        return [
            given
            for given in _listed(self.resource)
            if not any(_matches(given, arn) for arn in group.arns)
        ]


class Policy(msgspec.Struct, forbid_unknown_fields=True, rename="pascal", frozen=True):
    version: Literal["2012-10-17", "2008-10-17"]
    statement: Statement | Annotated[list[Statement], Meta(min_length=1)]
    id: str = ""

    @property
    def statements(self) -> list[Statement]:
        return [self.statement] if isinstance(self.statement, Statement) else self.statement

    @property
    def accounts(self) -> frozenset[str]:
        """Those that it may let do something: nobody of another could be allowed anything."""
        given = (one for s in self.statements if s.effect == "Allow" for one in s.principals)
        return frozenset(_account_of(one) for one in given)

    @property
    def _tags(self) -> frozenset[str]:
        """The keys of the tags on which it hangs who may do what, in small letters."""
        keys = (_KEY.fullmatch(key) for one in self.statements for _, key, _ in one.tests)
        return frozenset(key["tag"].lower() for key in keys if key and key["tag"])

    def hangs_on(self, tag: str) -> bool:
        """Whether it hangs on the tag with a key who may do what."""
        return tag.lower() in self._tags

    def allows(self, guest: Guest, action: str, group: Group) -> bool:
        """Whether a guest may. A policy that speaks of other groups as well, as one does whose
        group was renamed, allows nothing: what it meant to deny it would not. Nor does one that
        may mean either of two tags."""
        if any(one.strangers(group) for one in self.statements):
            return False
        if (tags := self._tags) and _is_ambiguous(tags, group):
            return False
        effects = {one.effect for one in self.statements if one.is_about(guest, action, group)}
        return effects == {"Allow"}


@lru_cache(maxsize=2048)
def parse(text: str) -> Policy:
    """Raises InvalidInput, which says where the text is no policy."""
    try:
        policy = msgspec.json.decode(text, type=Policy)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"ResourcePolicy is not a policy: {error}.") from None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise InvalidInput("ResourcePolicy is not valid JSON.") from None
    for statement in policy.statements:
        statement.check()
    return policy


def kept(text: str) -> Policy:
    """One that was kept. One that would not be taken any more allows nothing."""
    try:
        return parse(text)
    except InvalidInput:
        return Policy("2012-10-17", [])


def check(policy: Policy, group: Group) -> None:
    """Raises InvalidInput for what would mean nothing in the policy of this group."""
    for statement in policy.statements:
        for given in statement.principals:
            if given != "*" and group.at.account in given.split(":"):
                raise InvalidInput(
                    f"ResourcePolicy has as Principal {given}, of this very account: what its own "
                    "may do is granted, and no policy of a group denies it."
                )
        for given in statement.strangers(group):
            arn, package = group.arns
            raise InvalidInput(
                f"ResourcePolicy has as Resource what is not of this group: {given[:200]}. It has "
                f"{arn} and {package.removesuffix('#')}*."
            )


# -- within --------------------------------------------------------------------------------------


def _is_ambiguous(keys: frozenset[str], group: Group) -> bool:
    """Whether a group has two tags that one of the keys, in small letters, means."""
    meant = [key for key in map(str.lower, group.tags) if key in keys]
    return len(set(meant)) < len(meant)


def _listed(given: str | list[str]) -> list[str]:
    return [given] if isinstance(given, str) else given


def _check_test(operator: str, key: str, values: Iterable[str]) -> None:
    if operator not in _OPERATORS:
        raise InvalidInput(
            f"ResourcePolicy has the condition {operator[:200]}, which is not evaluated here; "
            f"{', '.join(_OPERATORS)} are."
        )
    if not _KEY.fullmatch(key):
        raise InvalidInput(
            f"ResourcePolicy has a condition on {key[:200]}, which is not evaluated here; "
            "aws:PrincipalAccount, aws:ResourceTag/KEY and sagemaker:ResourceTag/KEY are."
        )
    if any("${" in text for text in (key, *values)):
        raise InvalidInput(f"ResourcePolicy has a variable in its condition on {key[:200]}.")


def _account_of(principal: str) -> str:
    """ANYBODY for the one that means all."""
    return principal.split(":")[4] if ":" in principal else principal


def _is_principal(given: str, guest: Guest) -> bool:
    return given in ("*", guest.account) or given.partition(":iam::")[2] in guest.names


def _is_action(given: str, action: str) -> bool:
    return _matches(given.lower(), f"sagemaker:{action}".lower())


def _value(key: str, guest: Guest, group: Group) -> str | None:
    found = _KEY.fullmatch(key)
    assert found, "a policy is checked when it is parsed"
    if found["account"]:
        return guest.account
    wanted = found["tag"].lower()
    return next((value for tag, value in group.tags.items() if tag.lower() == wanted), None)


def _equals(value: str | None, wanted: list[str]) -> bool:
    return value is not None and value in wanted


def _is_like(value: str | None, wanted: list[str]) -> bool:
    return value is not None and any(_matches(one, value) for one in wanted)


# What is not there equals nothing, and is unlike anything, as in IAM.
_OPERATORS: Mapping[str, Callable[[str | None, list[str]], bool]] = {
    "StringEquals": _equals,
    "StringNotEquals": lambda value, wanted: not _equals(value, wanted),
    "StringLike": _is_like,
    "StringNotLike": lambda value, wanted: not _is_like(value, wanted),
}


def _matches(pattern: str, text: str) -> bool:
    """With `*` for any characters and `?` for one. Most patterns end in their one star, or have
    none: for those no expression is made."""
    head, star, tail = pattern.partition("*")
    if tail or "?" in head:
        return _expression(pattern).fullmatch(text) is not None
    return text.startswith(head) if star else text == head


@lru_cache(maxsize=1024)
def _expression(pattern: str) -> re.Pattern[str]:
    """It never looks at a text over and over."""
    first, *rest = (re.escape(part).replace(r"\?", ".") for part in pattern.split("*"))
    if rest:
        *middle, last = rest
        first += "".join(f"(?>.*?{part})" for part in middle) + f".*{last}"
    return re.compile(first, re.DOTALL)
