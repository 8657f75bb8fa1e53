"""What a topic's subscriber wants: which of its messages, and in what form.

A filter policy is a pattern of `patterns`, which either a message's attributes match, or its body
where that is JSON. Source: SNS's developer guide, "Amazon SNS message filtering".
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from modelkeep.domain import patterns
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.mail import PROTOCOLS as MAIL

KEYS_LIMIT = 5  # at the top of a policy
COMBINATIONS_LIMIT = 150  # of one value of each key

Attributes = Mapping[str, Mapping[str, str]]  # of a message: by name their `Type` and `Value`


class Scope(StrEnum):
    ATTRIBUTES = "MessageAttributes"
    BODY = "MessageBody"


@dataclass(frozen=True, slots=True)
class Terms:
    """`policy` is as it was given, or empty: every message is wanted. `is_raw`: messages without
    their envelope."""

    policy: str = ""
    scope: Scope = Scope.ATTRIBUTES
    is_raw: bool = False

    @classmethod
    def read(cls, text: str) -> "Terms":
        """Of their `text`."""
        found = json.loads(text) if text else {}
        return cls(**{**found, "scope": Scope(found["scope"])}) if found else cls()

    @property
    def text(self) -> str:
        """Empty of those that a subscriber has who said nothing."""
        return "" if self == Terms() else json.dumps(asdict(self), sort_keys=True)

    def lets(self, message: str, attributes: Attributes) -> bool:
        """Whether a message is wanted."""
        if not self.policy:
            return True
        said = _said(message) if self.scope is Scope.BODY else _valued(attributes)
        try:
            return said is not None and patterns.matches(json.loads(self.policy), said)
        except RecursionError:  # lists within lists without end: no pattern speaks of them
            return False


def agreed(terms: Terms, wanted: Mapping[str, str], url: str) -> Terms:
    """Terms with some changed, by SNS's names for them, of a subscriber at a URL. Raises
    InvalidInput in SNS's words for what there is not."""
    if "FilterPolicyScope" in wanted:
        terms = replace(terms, scope=_scope(wanted["FilterPolicyScope"]))
    if "RawMessageDelivery" in wanted:
        terms = replace(terms, is_raw=_raw(wanted["RawMessageDelivery"], url))
    policy = wanted.get("FilterPolicy", terms.policy)
    if policy:
        policy = policy if _checked(policy, terms.scope) else ""
    return replace(terms, policy=policy)


def _scope(text: str) -> Scope:
    try:
        return Scope(text)
    except ValueError:
        raise InvalidInput(
            f"Invalid parameter: FilterPolicyScope: Invalid value [{text[:100]}]. Please use "
            "either MessageBody or MessageAttributes"
        ) from None


def _raw(text: str, url: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise InvalidInput(
            f"Invalid parameter: RawMessageDelivery: Invalid value [{text[:100]}]. Must be true or "
            "false."
        )
    protocol = url.partition(":")[0]
    if text.lower() == "true" and protocol in MAIL:
        raise InvalidInput(
            f"Invalid parameter: Delivery protocol [{protocol}] does not support raw message "
            "delivery."
        )
    return text.lower() == "true"


# -- policies ------------------------------------------------------------------------------------


def _checked(text: str, scope: Scope) -> bool:
    """Whether a policy says anything; `{}` takes one away."""
    try:
        policy = patterns.read(text)
    except patterns.Unreadable as error:
        raise _refused(error.reason) from None
    if not policy:
        return False
    if scope is Scope.ATTRIBUTES and _is_nested(policy):
        raise InvalidInput(
            "Invalid parameter: Filter policy scope MessageAttributes does not support nested "
            "filter policy"
        )
    if len(policy) > KEYS_LIMIT:
        raise _refused(f"Filter policy can not have more than {KEYS_LIMIT} keys")
    if _combinations(policy) > COMBINATIONS_LIMIT:
        raise _refused("Filter policy is too complex")
    return True


def _refused(reason: str) -> InvalidInput:
    return InvalidInput(f"Invalid parameter: FilterPolicy: {reason}")


def _is_nested(policy: Mapping[str, Any]) -> bool:
    return any(
        any(_is_nested(one) for one in wanted) if name == "$or" else isinstance(wanted, dict)
        for name, wanted in policy.items()
    )


def _combinations(policy: Mapping[str, Any], depth: int = 1) -> int:
    """Of one value of each key; a value within members counts as often as it lies deep."""
    found = 1
    for name, wanted in policy.items():
        if name == "$or":
            found *= sum(_combinations(one, depth) for one in wanted)
        elif isinstance(wanted, dict):
            found *= _combinations(wanted, depth + 1)
        else:
            found *= len(wanted) * depth
    return found


# -- what a message says -------------------------------------------------------------------------


def _said(message: str) -> dict[str, Any] | None:
    try:
        said = json.loads(message)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def _valued(attributes: Attributes) -> dict[str, Any]:
    """Attributes as a pattern sees them; those of bytes it does not."""
    return {
        name: _READERS[given["Type"]](given["Value"])
        for name, given in attributes.items()
        if given["Type"] in _READERS
    }


_READERS: Mapping[str, Callable[[str], Any]] = {
    "String": str,
    "Number": float,
    "String.Array": json.loads,
}
