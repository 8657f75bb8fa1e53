"""DescribeModelPackage, packages at random, as AWS's clients ask; and our own read of the same.

The packages are registered over the same wire: an inference specification, four pairs of metadata.
"""

import time
from collections.abc import Mapping
from typing import Any

from benchmarks.load import Client
from benchmarks.peers.base import Peer
from benchmarks.plan import Plan, Sample
from benchmarks.timing import driven

CONNECTIONS = 16
GROUPS, VERSIONS = 20, 4
_AUTHORIZATION = (  # of a key that is nobody's: neither server looks after it
    "AWS4-HMAC-SHA256 Credential=AKIAANNANNANNANNANNA/20260101/us-east-1/sagemaker/aws4_request, "
    f"SignedHeaders=host;x-amz-date, Signature={'0' * 64}"
)
_RUNS = {
    "Containers": [
        {
            "Image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/serve:1",
            "ModelDataUrl": "s3://bucket/model.tar.gz",
        }
    ],
    "SupportedContentTypes": ["text/csv"],
    "SupportedResponseMIMETypes": ["text/csv"],
}
_METADATA = {"accuracy": "0.91", "f1": "0.88", "by": "ann", "commit": "abc"}


def measure(peer: Peer, plan: Plan) -> list[Sample]:
    word = f"described-{time.time_ns():x}"
    account = _register(peer.url, word)
    size = (word, GROUPS, VERSIONS, account)
    case = f"describe: a package, {CONNECTIONS} connections"
    asked, sample = driven(peer, case, "describe", CONNECTIONS, plan.load_s, *size)
    if not peer.has_native:
        return [sample]
    case = f"describe: our own read, {CONNECTIONS} connections"
    read, beside = driven(peer, case, "read", CONNECTIONS, plan.load_s, *size)
    by_cpu = sample.detail["cpu_us"] / beside.detail["cpu_us"]
    slower = Sample(
        "describe: how much slower than our own read",
        peer.name,
        read.per_s / asked.per_s,
        "times",
        rate=False,
        detail={"cpu": by_cpu},
    )
    return [sample, beside, slower]


def _register(url: str, word: str) -> str:
    """The number of the account that the packages are of."""
    client, made = Client(url, ""), {}
    for number in range(GROUPS):
        group = f"{word}-{number}"
        _call(client, "CreateModelPackageGroup", {"ModelPackageGroupName": group})
        package = {
            "ModelPackageGroupName": group,
            "InferenceSpecification": _RUNS,
            "CustomerMetadataProperties": _METADATA,
        }
        for _ in range(VERSIONS):
            made = _call(client, "CreateModelPackage", package)
    client.close()
    return made["ModelPackageArn"].split(":")[4]


def _call(client: Client, operation: str, params: Mapping[str, Any]) -> dict[str, str]:
    return client.call(
        "POST",
        "/",
        params,
        {
            "X-Amz-Target": f"SageMaker.{operation}",
            "Content-Type": "application/x-amz-json-1.1",
            "Authorization": _AUTHORIZATION,
        },
    )
