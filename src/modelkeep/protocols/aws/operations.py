"""Every operation that there is, by service and name."""

from collections.abc import Mapping

from modelkeep.protocols.aws import events, identity, sns
from modelkeep.protocols.aws.calls import Operation
from modelkeep.protocols.aws.sagemaker import groups, packages

ALL: Mapping[tuple[str, str], Operation] = {
    **identity.OPERATIONS,
    **groups.OPERATIONS,
    **packages.OPERATIONS,
    **events.OPERATIONS,
    **sns.OPERATIONS,
}
