"""Policies of groups: who of another account may do what with a group and its packages.

The grammar is that of IAM's policies, without conditions and without what denies by exclusion
(NotAction, NotPrincipal, NotResource): a policy that has one is refused, not half understood.
Source: IAM's reference of JSON policy elements.
"""

import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from modelkeep.domain.errors import InvalidInput

_PRINCIPAL = re.compile(r"\*|[0-9]{12}|arn:aws[a-z-]*:iam::[0-9]{12}:(root|(user|role)/.+)")
_ACTION = re.compile(r"\*|sagemaker:[A-Za-z*?]+")
_RESOURCE = re.compile(r"\*|arn:aws[a-z-]*:sagemaker:.+")

_Texts = str | Annotated[list[str], Meta(min_length=1)]


class Principals(msgspec.Struct, forbid_unknown_fields=True):
    """Accounts, or users of them."""

    aws: _Texts = msgspec.field(name="AWS")


class Statement(msgspec.Struct, forbid_unknown_fields=True, rename="pascal"):
    effect: Literal["Allow", "Deny"]
    principal: Literal["*"] | Principals
    action: _Texts
    resource: _Texts
    sid: str = ""

    def check(self) -> None:
        """Raises InvalidInput for a name that nothing can have."""
        principals = "*" if isinstance(self.principal, str) else self.principal.aws
        for what, pattern, given in (
            ("Principal", _PRINCIPAL, principals),
            ("Action", _ACTION, self.action),
            ("Resource", _RESOURCE, self.resource),
        ):
            for text in _listed(given):
                if not pattern.fullmatch(text):
                    raise InvalidInput(f"ResourcePolicy has as {what} what is none: {text[:200]}.")


class Policy(msgspec.Struct, forbid_unknown_fields=True, rename="pascal"):
    version: Literal["2012-10-17", "2008-10-17"]
    statement: Statement | Annotated[list[Statement], Meta(min_length=1)]
    id: str = ""

    @property
    def statements(self) -> list[Statement]:
        return [self.statement] if isinstance(self.statement, Statement) else self.statement


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


def _listed(given: str | list[str]) -> list[str]:
    return [given] if isinstance(given, str) else given
