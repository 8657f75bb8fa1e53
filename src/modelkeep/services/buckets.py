"""Buckets that are another store's: those that the settings name.

`s3://models/churn` means the operator's bucket `models`, if it is one that files are taken in from,
that clients write to, or that our own files lie in. Whoever may write here could put other bytes
under that name, so nobody does: by whatever call. Once named, a bucket stays another store's, also
for servers whose settings do not name it: what an address means does not change with a start.
"""

from collections.abc import Sequence

from modelkeep.domain.errors import Forbidden
from modelkeep.domain.objects import OBJECTS
from modelkeep.ports.work import Work


def reserve(work: Work, buckets: Sequence[str]) -> None:
    """From now on these are another store's."""
    new = [bucket for bucket in buckets if not work.buckets_elsewhere.has(bucket)]
    if new:
        work.buckets_elsewhere.add(new)


def squatted(work: Work, buckets: Sequence[str]) -> list[tuple[str, int, int]]:
    """Those of the buckets that have objects here, from before: how many, of how many bytes."""
    totals = ((bucket, *work.artifacts.total(f"{OBJECTS}/{bucket}")) for bucket in buckets)
    return [(bucket, count, size_bytes) for bucket, count, size_bytes, _ in totals if count]


def is_elsewhere(work: Work, path: str) -> bool:
    """Whether a path of the artifact store would lie in a bucket that is another store's."""
    top, _, rest = path.partition("/")
    return top == OBJECTS and work.buckets_elsewhere.has(rest.partition("/")[0])


def refuse_elsewhere(work: Work, path: str) -> None:
    """Raises Forbidden for a path that nobody may write, for its bucket is another store's."""
    if is_elsewhere(work, path):
        bucket = path.split("/", 2)[1]
        raise Forbidden(
            f"The bucket '{bucket}' is not this server's: s3://{bucket} is a store that its "
            "settings name. Nothing can be written to it here; choose another bucket."
        )
