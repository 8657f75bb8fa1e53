"""Pages of what is found whole and in one order: rules, targets, topics, subscriptions."""

from collections.abc import Sequence
from typing import TypeVar

from modelkeep.domain.errors import InvalidInput
from modelkeep.protocols.aws.calls import Call
from modelkeep.protocols.cursors import page_position, position_token

PAGE = 100  # items, where the caller says nothing

T = TypeVar("T")


def page_of(call: Call, found: Sequence[T], search: str) -> tuple[Sequence[T], str | None]:
    """The page that a call asks for, and the token of the next; `search` says what was looked for.

    Raises InvalidInput for a token that is none, or of another search.
    """
    after = page_position(call.params.get("NextToken", ""), search)
    start = after[0] if after else 0
    if not isinstance(start, int) or start < 0:
        raise InvalidInput("Invalid page token, it is none of this server's")
    end = start + call.params.get("Limit", PAGE)
    return found[start:end], position_token((end,), search) if end < len(found) else None
