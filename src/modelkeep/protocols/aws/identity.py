"""Who calls, as STS and IAM say it: what SDKs ask before their own work."""

from collections.abc import Mapping
from typing import Any

from modelkeep.protocols.aws.calls import Call, Operation
from modelkeep.services.app import App


async def _caller_identity(_app: App, call: Call) -> Mapping[str, Any]:
    name = call.caller.actor.name
    return {
        "UserId": name,
        "Account": call.account,
        "Arn": f"arn:aws:iam::{call.account}:user/{name}",
    }


def _anybody(_call: Call) -> None:
    """Whoever signs may know who they are."""


OPERATIONS: Mapping[tuple[str, str], Operation] = {
    ("sts", "GetCallerIdentity"): Operation(_caller_identity, _anybody),
}
