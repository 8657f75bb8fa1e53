"""What AWS's services refuse, as botocore tells it."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError


def refused(call: Callable[..., Any], **params: Any) -> tuple[str, str]:
    """The code and the sentence of a call that is refused."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    error: Any = caught.value.response
    assert error["ResponseMetadata"]["HTTPStatusCode"] < 500
    return error["Error"]["Code"], error["Error"]["Message"]
