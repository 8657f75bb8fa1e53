"""Uploads in parts: `uploads/<when it expires>-<random>/<number>/[<MD5>-]<SHA-256>`.

A part is a file of its own, named by its number and its bytes; to name a part is to say its
digest. Parts are not flushed: one that a crash damaged no longer hashes to its name, and the
upload is refused. A folder that holds `closed` was completed. All the state is in the names, so
it outlives a restart.
"""

import re
import secrets
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from modelkeep.domain.errors import InvalidInput, NotFound
from modelkeep.ports.blobs import Blobs, Part, Running, Upload
from modelkeep.storage.blobs.checks import verified
from modelkeep.storage.blobs.disk import DiskBlobs
from modelkeep.storage.blobs.incoming import Incoming, not_stored

ID = re.compile(r"(?P<expires_ms>[0-9]{1,15})-[0-9a-f]{32}")
NAME = r"((?P<md5>[0-9a-f]{32})-)?(?P<sha256>[0-9a-f]{64})"
_NAME, _SHA256 = re.compile(NAME), re.compile(r"[0-9a-f]{64}")
_CLOSED = "closed"


def written_anew(
    blobs: Blobs, chunks: Iterable[bytes], each: Callable[[bytes], object] | None
) -> tuple[str, int]:
    """The digest and the size of what the chunks are together, which is stored; or nothing is.

    `each` is told of every chunk. Raises what reading them does.
    """
    whole = blobs.begin()
    try:
        for chunk in chunks:
            whole.write([chunk])
            if each:
                each(chunk)
        return whole.finish()
    except BaseException:
        whole.abandon()
        raise


class DiskParts:
    """See `ports.blobs.Parts`."""

    def __init__(self, folder: Path, blobs: DiskBlobs) -> None:
        self._uploads, self._blobs = folder / "uploads", blobs
        self._uploads.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = threading.Lock()  # two parts of one number: the later one stays

    def open(self, expires_ms: int) -> str:
        upload_id = new_id(expires_ms)
        try:
            self._folder(upload_id).mkdir(mode=0o700)
        except OSError as error:
            raise not_stored(error) from None
        return upload_id

    def begin(self, upload_id: str, number: int, md5: Running | None = None) -> Upload:
        if not self._folder(upload_id).is_dir() or self.is_closed(upload_id):
            raise gone()
        upload = _PartUpload(self, upload_id, number, self._blobs.incoming(), md5)
        return Summed(upload, md5) if md5 else upload

    def read(self, upload_id: str, number: int, sha256: str) -> Iterator[bytes]:
        """A part's bytes in chunks of at most 1 MiB. Raises as `assemble`."""
        if not self._folder(upload_id).is_dir():
            raise gone()
        if not _SHA256.fullmatch(sha256):
            raise no_such_part(number)
        named = (self._folder(upload_id) / str(number)).glob(f"*{sha256}")
        try:
            file = next(named).open("rb", buffering=0)
        except (OSError, StopIteration):
            raise no_such_part(number) from None
        with file:
            yield from verified(file, sha256, None)

    def assemble(
        self,
        upload_id: str,
        named: Sequence[tuple[int, str]],
        each: Callable[[bytes], object] | None = None,
    ) -> tuple[str, int]:
        parts = (self.read(upload_id, number, sha256) for number, sha256 in named)
        return written_anew(self._blobs, chain.from_iterable(parts), each)

    def listing(self, upload_id: str) -> list[Part]:
        if not self._folder(upload_id).is_dir() or self.is_closed(upload_id):
            raise gone()
        found: list[Part] = []
        with self._lock:
            for file in self._folder(upload_id).glob("[0-9]*/*"):
                known, named = file.stat(), _NAME.fullmatch(file.name)
                assert named, file
                at_ms, md5 = known.st_mtime_ns // 1_000_000, named["md5"] or ""
                number = int(file.parent.name)
                found.append(Part(number, named["sha256"], known.st_size, at_ms, md5))
        return sorted(found, key=lambda part: part.number)

    def close(self, upload_id: str) -> None:
        folder = self._folder(upload_id)
        with self._lock:
            (folder / _CLOSED).touch()
            for number in folder.glob("[0-9]*"):
                shutil.rmtree(number, ignore_errors=True)

    def is_closed(self, upload_id: str) -> bool:
        return (self._folder(upload_id) / _CLOSED).exists()

    def discard(self, upload_id: str) -> None:
        shutil.rmtree(self._folder(upload_id), ignore_errors=True)

    def sweep(self, now_ms: int) -> None:
        for folder in self._uploads.iterdir():
            named = ID.fullmatch(folder.name)
            if named and int(named["expires_ms"]) < now_ms:
                self.discard(folder.name)

    def keep(self, upload_id: str, number: int, part: Incoming, name: str) -> None:
        """Puts a part in the place of the earlier ones of its number."""
        folder = self._folder(upload_id) / str(number)
        with self._lock:
            if self.is_closed(upload_id):
                raise gone()
            try:
                folder.mkdir(mode=0o700, exist_ok=True)
                for earlier in folder.iterdir():
                    earlier.unlink()
                part.move(folder / name)
            except FileNotFoundError:
                raise gone() from None
            except OSError as error:
                raise not_stored(error) from None

    def _folder(self, upload_id: str) -> Path:
        assert ID.fullmatch(upload_id), upload_id  # the server's own, never a client's text
        return self._uploads / upload_id


class _PartUpload:
    """See `ports.blobs.Upload`: kept, but not flushed to the disk."""

    def __init__(
        self,
        parts: DiskParts,
        upload_id: str,
        number: int,
        incoming: Incoming,
        md5: Running | None,
    ) -> None:
        self._parts, self._upload_id, self._number = parts, upload_id, number
        self._incoming, self._md5 = incoming, md5
        self.write, self.abandon = incoming.write, incoming.abandon

    def finish(self) -> tuple[str, int]:
        sha256 = self._incoming.sha256
        name = name_of(sha256, self._md5)
        self._parts.keep(self._upload_id, self._number, self._incoming, name)
        return sha256, self._incoming.size_bytes


class Summed:
    """An upload of which another hash is told as well; taken beside the writing, and not where the
    bytes arrive."""

    def __init__(self, upload: Upload, also: Running) -> None:
        self._upload, self._also = upload, also
        self.finish, self.abandon = upload.finish, upload.abandon

    def write(self, chunks: Sequence[bytes]) -> None:
        for chunk in chunks:
            self._also.update(chunk)
        self._upload.write(chunks)


def name_of(sha256: str, md5: Running | None) -> str:
    """What a part is called whose bytes have all come."""
    return f"{md5.hexdigest()}-{sha256}" if md5 else sha256


def new_id(expires_ms: int) -> str:
    return f"{expires_ms}-{secrets.token_hex(16)}"


def gone() -> NotFound:
    return NotFound("No such upload: it was completed or aborted, or has expired.")


def no_such_part(number: int) -> InvalidInput:
    return InvalidInput(f"Part {number} was not uploaded, or its ETag is not the one given.")
