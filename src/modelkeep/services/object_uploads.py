"""Objects that come in parts (see `ports.blobs.Parts`): who brings which, until they are completed.

An upload is its beginner's: to others it is not there. The row says when it was completed, in the
transaction that makes the path name the bytes; so to complete it again does nothing. What is not
completed in time is forgotten here, and its parts by those who keep them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from modelkeep.domain.access import Caller
from modelkeep.domain.errors import NotFound
from modelkeep.domain.objects import Said
from modelkeep.ports.objects import ObjectUpload
from modelkeep.ports.work import Work
from modelkeep.services import artifacts, objects
from modelkeep.services.grants import MULTIPART_S
from modelkeep.services.object_pages import END
from modelkeep.services.objects import Brought

SWEEP_LIMIT = 1000  # uploads that one use case forgets


@dataclass(frozen=True, slots=True)
class Page:
    """Uploads by key, and what stands for those that have a delimiter behind the prefix. `end` is
    the key and the id behind which the next page begins; None where this is the last."""

    uploads: Sequence[ObjectUpload]
    prefixes: Sequence[str]
    end: tuple[str, str] | None


def check(work: Work, caller: Caller, path: str) -> int:
    """Until when, in ms, an upload may be completed that begins now. Raises as `artifacts.put`."""
    artifacts.check_put(work, caller, path)
    return work.now_ms + MULTIPART_S * 1000


def begin(
    work: Work, caller: Caller, upload_id: str, path: str, until_ms: int, said: Said
) -> ObjectUpload:
    """Raises as `artifacts.put`."""
    artifacts.check_put(work, caller, path)
    by = caller.actor.name, caller.actor.lent_by
    upload = ObjectUpload(upload_id, path, *by, work.now_ms, until_ms, said)
    work.object_uploads.add(upload)
    return upload


def find(work: Work, caller: Caller, upload_id: str, path: str) -> ObjectUpload:
    """Raises NotFound for what is not the caller's, to that path, or has expired."""
    upload = work.object_uploads.get(upload_id)
    by = caller.actor.name, caller.actor.lent_by
    if (
        upload is None
        or upload.path != path
        or (upload.author, upload.lent_by) != by
        or upload.until_ms < work.now_ms
    ):
        raise NotFound(
            "The specified upload does not exist. The upload ID may be invalid, or the upload may "
            "have been aborted or completed."
        )
    return upload


def complete(
    work: Work,
    caller: Caller,
    upload: ObjectUpload,
    sha256: str,
    size_bytes: int,
    began_ms: int,
    brought: Brought,
) -> None:
    """Makes the path name the parts, put together, unless that was done. Raises as `objects.put`,
    and NotFound for what was aborted meanwhile."""
    if find(work, caller, upload.id, upload.path).etag:
        return
    objects.put(work, caller, upload.path, sha256, size_bytes, began_ms, brought)
    work.object_uploads.complete(upload.id, brought.etag)


def abort(work: Work, caller: Caller, upload: ObjectUpload) -> None:
    """Raises NotFound for what was completed or aborted meanwhile."""
    if find(work, caller, upload.id, upload.path).etag:
        raise NotFound("The specified upload was completed.")
    work.object_uploads.delete(upload.id)


def page(
    work: Work,
    caller: Caller,
    folder: str,
    prefix: str,
    delimiter: str,
    after: tuple[str, str],
    limit: int,
) -> Page:
    """The caller's uploads into a folder whose keys begin with a prefix, behind a key and an id."""
    top, by = f"{folder}/", (caller.actor.name, caller.actor.lent_by)
    uploads, prefixes, end = list[ObjectUpload](), list[str](), after
    behind = (top + after[0], after[1]) if after[0] else ("", "")
    told = after[0].removesuffix(END) if after[0].endswith(END) else ""  # it stands for what comes
    while True:
        room = limit - len(uploads) - len(prefixes)
        found = work.object_uploads.page(*by, top + prefix, behind, room + 1)
        for upload in found:
            key = upload.path[len(top) :]
            if told and key.startswith(told):
                behind = (upload.path, upload.id)
                continue
            if len(uploads) + len(prefixes) == limit:
                return Page(uploads, prefixes, end)
            cut = key.find(delimiter, len(prefix)) if delimiter else -1
            if cut < 0:
                uploads.append(upload)
                end, behind = (key, upload.id), (upload.path, upload.id)
            else:
                told = key[: cut + len(delimiter)]
                prefixes.append(told)
                end, behind = (told + END, ""), (top + told + END, "")
        if len(found) <= room:
            return Page(uploads, prefixes, None)


def sweep(work: Work) -> bool:
    """Forgets uploads whose time is over; whether there may be more of them."""
    return work.object_uploads.sweep(work.now_ms, SWEEP_LIMIT) == SWEEP_LIMIT
