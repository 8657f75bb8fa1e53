"""What the S3 API keeps beside the files: uploads in parts, and buckets that are not ours."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from modelkeep.domain.objects import Said


@dataclass(frozen=True, slots=True)
class ObjectUpload:
    """An object that comes in parts, under an id of `ports.blobs.Parts`.

    `author` and `lent_by` are who began it; `said` is what they said of the object. `etag` is the
    object's once it was put together, "" before.
    """

    id: str
    path: str
    author: str
    lent_by: str
    began_ms: int
    until_ms: int
    said: Said
    etag: str = ""


class ObjectUploads(Protocol):
    def add(self, upload: ObjectUpload) -> None: ...
    def get(self, upload_id: str) -> ObjectUpload | None: ...
    def page(
        self, author: str, lent_by: str, start: str, after: tuple[str, str], limit: int
    ) -> list[ObjectUpload]:
        """Somebody's uploads that are not completed, to paths that begin with a text: by path and
        id, those that follow `after`."""
        ...

    def complete(self, upload_id: str, etag: str) -> None: ...
    def delete(self, upload_id: str) -> None: ...
    def sweep(self, before_ms: int, limit: int) -> int:
        """Forgets uploads that had to be completed before then, at most so many; how many."""
        ...


class BucketsElsewhere(Protocol):
    """Buckets whose names mean a store that is not this server's."""

    def has(self, bucket: str) -> bool: ...
    def add(self, buckets: Iterable[str]) -> None:
        """To add one again does nothing."""
        ...
