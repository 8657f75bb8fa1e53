"""Every operation that there is, by service and name; and what to say of some that are not."""

from collections.abc import Mapping

from modelkeep.protocols.aws import events, identity, sns
from modelkeep.protocols.aws.calls import Operation
from modelkeep.protocols.aws.sagemaker import (
    cards,
    deployables,
    groups,
    packages,
    search,
    sharing,
    tags,
)

ALL: Mapping[tuple[str, str], Operation] = {
    **identity.OPERATIONS,
    **groups.OPERATIONS,
    **packages.OPERATIONS,
    **search.OPERATIONS,
    **cards.OPERATIONS,
    **deployables.OPERATIONS,
    **sharing.OPERATIONS,
    **tags.OPERATIONS,
    **events.OPERATIONS,
    **sns.OPERATIONS,
}
ABSENT: Mapping[tuple[str, str], str] = events.ABSENT
