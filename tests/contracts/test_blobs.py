"""What every store of blobs promises, on the disk and on two servers of S3: only whole, right
bytes are ever handed out, and what was taken is kept."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from modelkeep.domain.errors import IntegrityFailure
from modelkeep.ports.blobs import Blobs
from modelkeep.storage.blobs import checks, s3
from modelkeep.storage.blobs.bucket import Bucket
from modelkeep.storage.blobs.disk import DiskBlobs
from modelkeep.storage.blobs.s3 import S3Blobs

MIB = 1 << 20
SMALL = os.urandom(3 * MIB + 1234)
IN_PARTS = os.urandom(6 * MIB + 77)  # of which S3 gets two parts, with `PART_BYTES` below


class Kept(Protocol):
    """A store, and what lies in it as those who keep it see it."""

    blobs: Blobs

    def replace(self, sha256: str, content: bytes) -> None: ...
    def remove(self, sha256: str) -> None: ...
    def names(self) -> list[str]: ...


class OnDisk:
    def close(self) -> None:
        self.blobs.close()

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.blobs = DiskBlobs(folder)

    def replace(self, sha256: str, content: bytes) -> None:
        self.blobs.path(sha256).write_bytes(content)

    def remove(self, sha256: str) -> None:
        self.blobs.path(sha256).unlink()

    def names(self) -> list[str]:
        return sorted(path.name for path in self._folder.rglob("*") if path.is_file())


class InStore:
    def close(self) -> None:
        self.blobs.threads.shutdown()  # the client is the store's

    def __init__(self, blobs: S3Blobs) -> None:
        self.blobs = blobs

    def replace(self, sha256: str, content: bytes) -> None:
        self.blobs.bucket.call("put_object", Key=self.blobs.key(sha256), Body=content)

    def remove(self, sha256: str) -> None:
        self.blobs.bucket.call("delete_object", Key=self.blobs.key(sha256))

    def names(self) -> list[str]:
        keys = (one["Key"] for one in self.blobs.bucket.listed(self.blobs.bucket.place.prefix))
        return sorted(key.rpartition("/")[2] for key in keys)


@pytest.fixture(params=["disk", "moto", "swift"])
def kept(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    if request.param == "disk":
        found = OnDisk(tmp_path)
    else:
        monkeypatch.setattr(s3, "PART_BYTES", 5 * MIB)
        monkeypatch.setattr(s3, "COPY_BYTES", 5 * MIB)
        store = request.getfixturevalue(request.param)
        found = InStore(S3Blobs(Bucket(store.place(), store.client)))
    yield found
    found.close()


def store(kept: Kept, content: bytes) -> str:
    upload = kept.blobs.begin()
    for start in range(0, len(content), MIB // 3):
        upload.write([content[start : start + 1000], b"", content[start + 1000 : start + MIB // 3]])
    sha256 = hashlib.sha256(content).hexdigest()
    assert upload.finish() == (sha256, len(content))
    upload.abandon()  # harmless by now
    return sha256


@pytest.mark.parametrize("content", [b"", b"x", SMALL, IN_PARTS], ids=len)
def test_what_was_stored_is_read_whole_and_lies_there_once(kept: Kept, content: bytes) -> None:
    for _ in range(2):
        sha256 = store(kept, content)
        chunks = list(kept.blobs.read(sha256, len(content)))
        assert b"".join(chunks) == content
        assert max(map(len, chunks), default=0) <= MIB
        assert kept.names() == [sha256]


def test_ranges_are_what_they_say(kept: Kept) -> None:
    sha256, size = store(kept, IN_PARTS), len(IN_PARTS)
    ranges = ((0, 1), (0, size), (MIB - 1, MIB + 1), (5, 2 * MIB + 7), (size - 1, size))
    for start, stop in ranges:
        read = b"".join(kept.blobs.read_range(sha256, size, start, stop))
        assert read == IN_PARTS[start:stop], (start, stop)


def test_damaged_bytes_are_never_handed_out_to_the_end(kept: Kept) -> None:
    sha256 = store(kept, SMALL)
    kept.blobs.check(sha256, len(SMALL))
    kept.replace(sha256, SMALL[:-1] + bytes([SMALL[-1] ^ 1]))
    handed: list[bytes] = []
    with pytest.raises(IntegrityFailure):
        handed.extend(kept.blobs.read(sha256, len(SMALL)))
    assert len(b"".join(handed)) < len(SMALL)
    assert b"".join(kept.blobs.read_range(sha256, len(SMALL), 0, MIB)) == SMALL[:MIB]
    with pytest.raises(IntegrityFailure):
        b"".join(kept.blobs.read_range(sha256, len(SMALL), 3 * MIB, len(SMALL)))


@pytest.mark.parametrize("wrong", ["damaged", "short", "gone"])
def test_no_range_of_a_file_that_is_not_whole_is_handed_out(kept: Kept, wrong: str) -> None:
    sha256 = store(kept, SMALL)
    if wrong == "gone":
        kept.remove(sha256)
    else:
        kept.replace(sha256, SMALL[: 2 * MIB] + (b"!" * 10 if wrong == "damaged" else b""))
    with pytest.raises(IntegrityFailure):
        next(kept.blobs.read_range(sha256, len(SMALL), 0, 1))
    with pytest.raises(IntegrityFailure):
        kept.blobs.check(sha256, len(SMALL))


@pytest.mark.parametrize("content", [SMALL, IN_PARTS], ids=len)
def test_a_new_copy_heals_a_damaged_one(kept: Kept, content: bytes) -> None:
    sha256 = store(kept, content)
    kept.replace(sha256, content[1:])
    store(kept, content)
    assert b"".join(kept.blobs.read(sha256, len(content))) == content


@pytest.mark.parametrize("content", [b"half", IN_PARTS], ids=len)
def test_what_was_abandoned_leaves_nothing(kept: Kept, content: bytes) -> None:
    upload = kept.blobs.begin()
    upload.write([content])
    upload.abandon()
    upload.abandon()
    assert kept.names() == []


def test_only_so_many_hashes_are_remembered(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "REMEMBERED_BYTES", 5 * 32)  # of a file and a bit
    first, second = store(kept, SMALL), store(kept, SMALL[1:])
    for sha256, size in ((first, len(SMALL)), (second, len(SMALL) - 1)):
        kept.blobs.check(sha256, size)
    kept.replace(second, b"!" + SMALL[2:])
    kept.replace(first, SMALL[:-1] + b"!" + SMALL[-1:])
    # The first was forgotten, so it's read whole again; the second fails on the range alone.
    with pytest.raises(IntegrityFailure):
        next(kept.blobs.read_range(first, len(SMALL), 0, 1))
    assert b"".join(kept.blobs.read_range(second, len(SMALL) - 1, MIB, MIB + 1))


def test_what_is_there_is_listed_in_order_and_nothing_else(kept: Kept) -> None:
    assert list(kept.blobs.stored()) == []
    contents = [b"%d" % number for number in range(7)] + [SMALL]
    sizes = {store(kept, content): len(content) for content in contents}
    upload = kept.blobs.begin()
    upload.write([IN_PARTS])
    assert [(one.sha256, one.size_bytes) for one in kept.blobs.stored()] == sorted(sizes.items())
    upload.abandon()


def test_what_is_deleted_is_gone_and_can_be_stored_again(kept: Kept) -> None:
    sha256 = store(kept, b"once")
    for _ in range(2):
        kept.blobs.delete(sha256)
        assert kept.names() == []
    with pytest.raises(IntegrityFailure):
        kept.blobs.check(sha256, 4)
    assert store(kept, b"once") == sha256
    assert b"".join(kept.blobs.read(sha256, 4)) == b"once"
