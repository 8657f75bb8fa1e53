"""botocore's models of the services that are spoken here, each loaded when it is first asked.

SageMaker's alone is 2.6 MB of JSON (40 ms, 10 MB of memory): who speaks MLflow never pays for it.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel, Shape

# By the prefix of `X-Amz-Target`, and by the name in a signature's scope.
BY_TARGET: Mapping[str, str] = {"SageMaker": "sagemaker", "AWSEvents": "events"}
BY_SCOPE: Mapping[str, str] = {
    "sagemaker": "sagemaker",
    "events": "events",
    "sns": "sns",
    "sts": "sts",
    "iam": "iam",
}


@cache
def service(name: str) -> ServiceModel:
    """The newest model that botocore has of one of the services above."""
    return ServiceModel(Loader().load_service_model(name, "service-2"), name)


def operation(service_name: str, name: str) -> OperationModel | None:
    """None where the service has no such operation."""
    model = service(service_name)
    return model.operation_model(name) if name in model.operation_names else None


def members(shape: Any) -> Mapping[str, Shape]:
    """The members of a structure; none of what has none."""
    return getattr(shape, "members", {})
