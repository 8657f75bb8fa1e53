"""What a request asks for, whatever protocol says it, and what an operation makes of it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from modelkeep.domain.access import Caller
from modelkeep.domain.sharing import Lent
from modelkeep.services.app import App

REGION = "us-east-1"  # while nobody signs


@dataclass(frozen=True, slots=True)
class Place:
    """What ARNs say of where something is."""

    region: str
    account: str

    def arn(self, resource: str, service: str = "sagemaker") -> str:
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"


@dataclass(frozen=True, slots=True)
class Call(Place):
    """One call of an operation. `params` are as its model has them, and have been checked.
    `account` is the server's own, whose things these are; `caller_account` the one that the caller
    speaks for.
    """

    caller: Caller
    params: Mapping[str, Any]
    base: str | None = None  # the address of this server, as the caller knows it
    operation: str = ""
    caller_account: str = ""  # empty for the server's own

    @property
    def is_guests(self) -> bool:
        """Whether the caller speaks for another account."""
        return self.caller_account not in ("", self.account)

    def lent(self, handle: str | None = None) -> Lent:
        """What a guest needs of a group's policy for it; see `sharing.Lent`."""
        return Lent(self.operation, handle)


Handle = Callable[[App, Call], Awaitable[Mapping[str, Any]]]
Known = Callable[[App, Call], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Operation:
    """What answers an operation, and the rule that lets a caller in: it raises Forbidden.

    `known` is asked first for the body of an answer in JSON, which may be remembered; where it has
    none, it says nothing.
    """

    handle: Handle
    admit: Callable[[Call], None]
    known: Known | None = None
