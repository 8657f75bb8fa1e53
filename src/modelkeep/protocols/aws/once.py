"""Calls that carry a `ClientToken`: the same call under the same token has its effect once.

boto3 makes a token of its own for each call that has none, and keeps it when it tries again.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from modelkeep.domain.errors import KeyReused
from modelkeep.ports.replies import Claim, Reply
from modelkeep.protocols.aws.calls import Call
from modelkeep.protocols.aws.errors import Coded
from modelkeep.services import replies
from modelkeep.services.app import App

T = TypeVar("T")


async def once(
    app: App,
    call: Call,
    operation: str,
    tell: Callable[[T], Mapping[str, str]],
    use_case: Callable[..., T],
    *args: Any,
) -> Mapping[str, str]:
    """What `tell` makes of the use case's value, now or when the token was first used.

    Raises Coded for a token that another call has had.
    """
    token = call.params.get("ClientToken")
    if token is None:
        return tell(await app.write(use_case, call.caller, *args))
    said = json.dumps(call.params, sort_keys=True, default=str)
    digest = hashlib.sha256(f"{operation}\n{said}".encode(errors="surrogatepass")).hexdigest()
    claim = Claim(call.caller.actor.name, f"{operation}/{call.caller_account}/{token}", digest)

    def reply(value: T) -> Reply:
        return Reply(200, json.dumps(tell(value)))

    try:
        done = await app.write(replies.once, claim, reply, use_case, call.caller, *args)
    except KeyReused:
        raise Coded(
            "ConflictException",
            f"The ClientToken {token} was used for a call with other parameters. Take a new token "
            "for each call; the same one only to repeat a call as it was.",
        ) from None
    value, known = done
    return json.loads(known.body) if known else tell(cast("T", value))
