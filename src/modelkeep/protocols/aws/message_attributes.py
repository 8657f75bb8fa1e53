"""SNS's message attributes: from a call's parameters to those that a message has, in its words."""

import base64
import math
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from modelkeep.domain.subscriptions import Attributes
from modelkeep.protocols.aws.errors import Coded

_NAME = re.compile(
    r"(?!(aws|amazon)\.)(?!\.)(?!.*\.\.)[\w.\-]{1,256}(?<!\.)", re.ASCII | re.IGNORECASE
)
_NUMBER = re.compile(r"[+-]?[0-9]{1,128}(\.[0-9]{0,128})?([eE][+-]?[0-9]{1,3})?")


def attributes_of(given: Mapping[str, Mapping[str, Any]]) -> Attributes:
    """By name. Raises Coded for what is none."""
    return {name: _attribute(name, value) for name, value in given.items()}


def _attribute(name: str, given: Mapping[str, Any]) -> Mapping[str, str]:
    if not _NAME.fullmatch(name):
        raise _invalid(f"The message attribute name '{name[:100]}' is none.")
    kind = given.get("DataType", "")
    if kind not in ("String", "String.Array", "Number", "Binary"):
        raise _invalid(
            f"The message attribute '{name}' has an invalid message attribute type, the set of "
            "supported types is Binary, Number, String and String.Array."
        )
    value = given.get("StringValue", "")
    if kind == "Binary":
        value = base64.b64encode(given.get("BinaryValue", b"")).decode()
    if not value:
        raise _invalid(
            f"The message attribute '{name}' must contain non-empty message attribute value for "
            f"message attribute type '{kind}'."
        )
    if kind == "Number" and not (_NUMBER.fullmatch(value) and math.isfinite(float(value))):
        raise _invalid(f"Could not cast message attribute '{name}' value to number.")
    if kind == "String.Array":
        _check_array(name, value)
    return {"Type": kind, "Value": value}


def _check_array(name: str, text: str) -> None:
    try:
        msgspec.json.decode(text, type=list[str | int | float | bool | None])
    except (msgspec.DecodeError, RecursionError):
        raise _invalid(
            f"The message attribute '{name}' must be a JSON array of texts, numbers, true, false "
            "and null."
        ) from None


def _invalid(message: str) -> Coded:
    return Coded("ParameterValueInvalid", message)
