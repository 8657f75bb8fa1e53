"""What the headers of an answer say of a version that should not be used any more.

`Deprecation` is the moment since when it is deprecated (RFC 9745), `Sunset` the one from which it
is not given any more (RFC 8594). Of any other version they say nothing.
"""

from email.utils import formatdate

from modelkeep.domain.endings import State
from modelkeep.domain.models import Version


def headers_of(version: Version | None) -> dict[str, str]:
    """The headers for an answer that brings bytes of a version, by name in lower case."""
    ending = version.ending if version else None
    if ending is None or ending.state is not State.DEPRECATED or ending.since_ms is None:
        return {}
    found = {"deprecation": f"@{ending.since_ms // 1000}"}
    if ending.blocks_ms is not None:
        found["sunset"] = formatdate(ending.blocks_ms / 1000, usegmt=True)
    return found
