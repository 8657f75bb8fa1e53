"""botocore's client of S3, which boto3's is made of, and what it is refused."""

from typing import Any

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError


def client_of(url: str, key: str = "AKIAANNANNANNANNANNA", secret: str = "secret") -> Any:
    config = Config(
        retries={"total_max_attempts": 1},
        s3={"addressing_style": "path"},
        signature_version="s3v4",  # or addresses are presigned in the way before that
    )
    return botocore.session.Session().create_client(
        "s3",
        region_name="us-east-1",
        endpoint_url=url,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        config=config,
    )


def refusal(call: Any, **params: Any) -> tuple[int, str, str]:
    with pytest.raises(ClientError) as refused:
        call(**params)
    response = refused.value.response
    error = response["Error"]
    return response["ResponseMetadata"]["HTTPStatusCode"], error["Code"], error.get("Message", "")
