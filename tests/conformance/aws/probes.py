"""What the files of probes share.

A probe is of what AWS documents, or botocore's models say, and stand-ins for AWS commonly get
wrong: a sentence, a call, and what comes of it. What takes more than a call is tested beside what
it is about (`test_packages`, `test_groups`, …).
"""

from collections.abc import Callable
from typing import Any

from tests.support.refusals import refused

INVALID, CONFLICT, MISSING = "ValidationException", "ConflictException", "ResourceNotFound"
KIND = "arn:aws:sagemaker:us-east-1:000000000000"
CONTAINER = {"Image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/serve:1"}

Params = dict[str, Any]
Refusal = tuple[
    str, str, Params, str, str
]  # a sentence, an operation, what it gets; code and words
Answer = tuple[
    str, str, Params, str, Any
]  # a sentence, an operation, what it gets; member and value


def named(probes: list[Any]) -> dict[str, Any]:
    """`argvalues` and `ids` of `pytest.mark.parametrize`."""
    return {"argvalues": [probe[1:] for probe in probes], "ids": [probe[0] for probe in probes]}


def check_refused(
    client: Any, call: str, params: Params, code: str, told: str, seen: Callable[[], Any]
) -> None:
    """A call is refused under its code and in its words, and nothing of what is seen changes."""
    before = seen()
    found, sentence = refused(getattr(client, call), **params)
    assert found == code
    assert told in sentence
    assert "An error occurred" not in sentence  # which is for clients to say
    assert seen() == before


def check_answered(client: Any, call: str, params: Params, member: str, value: Any) -> None:
    answer = getattr(client, call)(**params)
    assert answer.get(member) == value
    assert answer["ResponseMetadata"]["RequestId"]
