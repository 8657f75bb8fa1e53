"""The names of AWS's resources: `arn:aws:sagemaker:REGION:ACCOUNT:KIND/NAME`, or a name alone."""

import re
from dataclasses import dataclass

_ARN = re.compile(
    "arn:aws[a-z-]*:(?P<service>[a-z0-9-]+):(?P<region>[a-z0-9-]*):(?P<account>[0-9]{12}):"
    "(?P<kind>[a-z-]+)/(?P<name>.+)"
)


@dataclass(frozen=True, slots=True)
class Named:
    """What a caller calls a resource by. All but `name` are empty of a name alone."""

    name: str
    kind: str = ""
    account: str = ""
    region: str = ""


def named(text: str) -> Named:
    found = _ARN.fullmatch(text)
    if found is None:
        return Named(text)
    return Named(found["name"], found["kind"], found["account"], found["region"])
