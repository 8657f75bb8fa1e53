"""What a request asks for, whatever protocol says it, and what an operation makes of it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from modelkeep.domain.access import Caller
from modelkeep.services.app import App

REGION = "us-east-1"  # while nobody signs


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an operation. `params` are as its model has them, and have been checked."""

    caller: Caller
    params: Mapping[str, Any]
    region: str
    account: str
    base: str | None = None  # the address of this server, as the caller knows it

    def arn(self, resource: str, service: str = "sagemaker") -> str:
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"


Handle = Callable[[App, Call], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Operation:
    """What answers an operation, and the rule that lets a caller in: it raises Forbidden."""

    handle: Handle
    admit: Callable[[Call], None]
